package caddymodule

import (
	"context"
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddytls"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
)

func init() {
	caddy.RegisterModule(Permission{})
}

// Permission lets certificates be obtained for the domains of providers, and
// for no others: on_demand_tls { permission session_gate }.
//
// It is asked before a certificate is loaded from storage, too. Answers are
// remembered, and a domain that was found stays allowed while the backend is
// down.
type Permission struct {
	edge *edge.Edge
}

// CaddyModule implements [caddy.Module].
func (Permission) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "tls.permission.session_gate", New: func() caddy.Module { return new(Permission) }}
}

// Provision finds the app.
func (p *Permission) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err == nil {
		p.edge = app.edge
	}
	return err
}

// CertificateAllowed implements [caddytls.OnDemandPermission].
func (p *Permission) CertificateAllowed(ctx context.Context, name string) error {
	_, err := p.edge.Hosts.Find(ctx, name)
	if errors.Is(err, edge.ErrUnknownHost) {
		return fmt.Errorf("%s: %w: %w", name, caddytls.ErrPermissionDenied, err)
	}
	return err
}

// UnmarshalCaddyfile implements [caddyfile.Unmarshaler]. It takes no options.
func (p *Permission) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // module name
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Permission)(nil)
	_ caddytls.OnDemandPermission = (*Permission)(nil)
	_ caddyfile.Unmarshaler       = (*Permission)(nil)
)
