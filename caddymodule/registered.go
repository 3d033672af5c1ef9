package caddymodule

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/caddymodule/origin"
)

// registered finds the origins that providers have registered, and has the connections to
// them. Two providers never share a connection, even to the same server.
type registered struct {
	edge        *edge.Edge
	credentials *originCredentials
	config      origin.Config
	names       *nameCache // nil: any address may be dialed

	mu    sync.Mutex // guards pools
	pools map[originKey]*registeredPool
}

// originKey is an origin of one provider.
type originKey struct{ provider, url string }

type registeredPool struct {
	pool *origin.Pool
	host string // of the URL, if it is sent as Host
	used int64  // monotonic ms
}

func newRegistered(app *App, config origin.Config, allowPrivate bool) *registered {
	o := &registered{edge: app.edge, credentials: app.credentials, config: config, pools: make(map[originKey]*registeredPool)}
	if !allowPrivate {
		o.names = newNameCache()
		o.config.Dial = o.names.dialPublic(new(net.Dialer).DialContext)
	}
	return o
}

// find returns where a request goes: to the origin of the provider of its host.
func (o *registered) find(r *http.Request) (destination, error) {
	public, ok := caddyhttp.GetVar(r.Context(), publicHostVar).(string)
	if !ok {
		public = r.Host
	}
	host, err := o.edge.Hosts.Find(r.Context(), public, askerOf(r, caddyhttp.GetVar(r.Context(), handledVar) == handledAdmitted))
	if err != nil {
		return destination{}, fmt.Errorf("finding the origin of %s: %w", edge.BareHost(public), err)
	}
	if err := claimCredit(r, public, host.ProviderID); err != nil {
		return destination{}, err
	}
	p, err := o.of(originKey{host.ProviderID, host.OriginURL})
	if err != nil {
		return destination{}, err
	}
	d := destination{p.pool, public}
	if p.host != "" {
		d.host = p.host
	}
	if app, ok := caddyhttp.GetVar(r.Context(), appHostVar).(string); ok {
		d.host = app
	}
	return d, nil
}

// claimCredit makes the request one to the provider's origin. Who the user is, is told to
// the origin of the session's provider only: the host may have changed hands since the
// gate decided, or the site may name another provider.
func claimCredit(r *http.Request, public, provider string) error {
	_, open := caddyhttp.GetVar(r.Context(), creditVar).(*Gate)
	if was := originProvider(r.Context()); !open && was != "" && was != provider {
		return fmt.Errorf("%s belongs to provider %s, and the request to %s", edge.BareHost(public), provider, was)
	}
	caddyhttp.SetVar(r.Context(), creditVar, provider)
	return nil
}

// of returns the connections to an origin.
func (o *registered) of(key originKey) (*registeredPool, error) {
	now := edge.MonotonicMS()
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.pools[key]; p != nil {
		p.used = now
		return p, nil
	}
	to, err := url.Parse(key.url)
	if err != nil || to.Hostname() == "" || to.Scheme != "http" && to.Scheme != "https" {
		return nil, fmt.Errorf("provider %s has no usable origin URL", key.provider)
	}
	config := o.config
	config.Address = hostPort(to)
	p := &registeredPool{used: now}
	if to.Scheme == "https" {
		p.host = to.Host
		config.TLS = config.TLS.Clone()
		config.TLS.GetClientCertificate = o.credentials.certificateFor(func(context.Context) string { return key.provider })
	} else {
		config.TLS = nil
	}
	if len(o.pools) >= poolsMax {
		o.dropOne()
	}
	p.pool = origin.NewPool(config)
	o.pools[key] = p
	o.edge.Pools.Add(key.provider, p.pool)
	return p, nil
}

// dropOne gives up the pool that was unused for the longest time of a few. Requests under
// way go on.
func (o *registered) dropOne() {
	var oldest originKey
	looked := 0
	for key, p := range o.pools { // in random order
		if looked == 0 || p.used < o.pools[oldest].used {
			oldest = key
		}
		if looked++; looked == 16 {
			break
		}
	}
	p := o.pools[oldest].pool
	delete(o.pools, oldest)
	o.edge.Pools.Remove(p)
	p.Close()
}

func (o *registered) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, p := range o.pools {
		delete(o.pools, key)
		o.edge.Pools.Remove(p.pool)
		p.pool.Close()
	}
}
