package caddymodule

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"sync"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/caddymodule/origin"
)

// originPools has the connections to origins, of each provider its own: two providers
// never share a connection or a TLS session, even to the same server, because the server
// takes all requests on it for those of the provider whose certificate it was shown.
type originPools struct {
	shown       *edge.Pools
	label       string // in the metrics; "": the provider's id
	credentials *originCredentials
	config      origin.Config

	mu     sync.Mutex // guards the fields below
	pools  map[originKey]*originPool
	closed bool
}

// originKey is an origin of one provider.
type originKey struct{ provider, url string }

type originPool struct {
	pool *origin.Pool
	host string // of the URL, if it is sent as Host
	used int64  // monotonic ms
}

func newOriginPools(app *App, config origin.Config, label string) *originPools {
	return &originPools{shown: &app.edge.Pools, label: label, credentials: app.credentials, config: config, pools: make(map[originKey]*originPool)}
}

// of returns the connections to an origin.
func (o *originPools) of(key originKey) (*originPool, error) {
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
	p := &originPool{used: now}
	if to.Scheme == "https" {
		p.host = to.Host
		config.TLS = config.TLS.Clone()
		// A session that is resumed is that of the certificate it began with.
		config.TLS.ClientSessionCache = tls.NewLRUClientSessionCache(0)
		config.TLS.GetClientCertificate = o.credentials.certificateFor(func(context.Context) string { return key.provider })
	} else {
		config.TLS = nil
	}
	p.pool = origin.NewPool(config)
	if o.closed { // a request that began before a reload: its connection is not kept
		p.pool.Close()
		return p, nil
	}
	if len(o.pools) >= poolsMax {
		o.dropOne()
	}
	o.pools[key] = p
	label := o.label
	if label == "" {
		label = key.provider
	}
	o.shown.Add(label, p.pool)
	return p, nil
}

// dropOne gives up the pool that was unused for the longest time of a few. Requests under
// way go on.
func (o *originPools) dropOne() {
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
	o.shown.Remove(p)
	p.Close()
}

// close closes the connections that are idle, and the others once they are.
func (o *originPools) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for key, p := range o.pools {
		delete(o.pools, key)
		o.shown.Remove(p.pool)
		p.pool.Close()
	}
}
