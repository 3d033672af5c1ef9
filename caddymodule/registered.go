package caddymodule

import (
	"fmt"
	"net"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/caddymodule/origin"
)

// registered finds the origins that providers have registered.
type registered struct {
	hosts *edge.HostCache
	pools *originPools
}

func newRegistered(app *App, config origin.Config, allowPrivate bool) *registered {
	if !allowPrivate {
		config.Dial = newNameCache().dialChecked(new(net.Dialer).DialContext)
	}
	return &registered{hosts: app.edge.Hosts, pools: newOriginPools(app, config, "")}
}

// find returns where a request goes: to the origin of the provider of its host.
func (o *registered) find(r *http.Request) (destination, error) {
	public, ok := caddyhttp.GetVar(r.Context(), publicHostVar).(string)
	if !ok {
		public = r.Host
	}
	host, err := o.hosts.Find(r.Context(), public, askerOf(r, caddyhttp.GetVar(r.Context(), handledVar) == handledAdmitted))
	if err != nil {
		return destination{}, fmt.Errorf("finding the origin of %s: %w", edge.BareHost(public), err)
	}
	if err := claimCredit(r, public, host.ProviderID); err != nil {
		return destination{}, err
	}
	p, err := o.pools.of(originKey{host.ProviderID, host.OriginURL})
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
