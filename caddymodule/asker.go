package caddymodule

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/certmagic"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// providerOf is the provider whose sessions may pass on this request. A host that is not
// known is looked up for requests that have one of the gate's cookies; without, it
// returns [edge.ErrNobodyAsks], and made-up hosts cost the backend nothing.
func (g *Gate) providerOf(r *http.Request) (string, error) {
	if g.Provider != "" {
		return g.Provider, nil
	}
	host, fresh, err := g.edge.Hosts.Known(r.Host)
	if !fresh { // an old answer is good enough to refuse by
		if host != nil {
			g.edge.Hosts.Refresh(r.Context(), r.Host, askerOf(r, false))
		}
		if some, session := g.tokensOf(r); some {
			by := askerOf(r, session != "")
			by.Session = session
			host, err = g.edge.Hosts.Find(r.Context(), r.Host, by)
			if session == "" && errors.Is(err, edge.ErrLookups) {
				err = edge.ErrNobodyAsks
			}
		}
	}
	if err != nil {
		return "", err
	}
	return host.ProviderID, nil
}

// introduce looks up a host that nobody has asked for, on behalf of a visitor without a
// session: the provider may have opened the path, and the page of the refusal has the app's
// name and a link to its shop. A made-up host stops these look-ups for a while. It reports
// whether more is known than before.
func (g *Gate) introduce(r *http.Request) bool {
	err := g.edge.Hosts.Introduce(r.Context(), r.Host)
	return err == nil || errors.Is(err, edge.ErrUnknownHost)
}

// knownProvider returns the provider of the request's site as far as it is known without
// asking, or "".
func (g *Gate) knownProvider(r *http.Request) string {
	if g.Provider != "" || g.edge == nil {
		return g.Provider
	}
	if host, _, err := g.edge.Hosts.Known(r.Host); err == nil {
		return host.ProviderID
	}
	return ""
}

// providerOfLink is [Gate.providerOf] for a request with a launch token of a session that
// was verified, but not for which provider it is.
func (g *Gate) providerOfLink(r *http.Request, session string) (string, error) {
	if g.Provider != "" {
		return g.Provider, nil
	}
	by := askerOf(r, true)
	by.Session = session
	host, err := g.edge.Hosts.Find(r.Context(), r.Host, by)
	if err != nil {
		return "", err
	}
	return host.ProviderID, nil
}

// verifyLaunch verifies a launch token, and then finds the provider of the request's
// site: a token that is forged causes no look-up.
func (g *Gate) verifyLaunch(r *http.Request, raw string) (claims *token.Claims, provider string, err error) {
	claims, err = g.edge.Verifier.Verify(r.Context(), raw, token.Expect{
		Kinds: []token.Kind{token.Launch}, ProviderID: g.Provider, IgnoreExpiry: true, Now: time.UnixMilli(g.edge.Clock.NowMS()),
	})
	if err != nil {
		return nil, "", err
	}
	if provider, err = g.providerOfLink(r, claims.SessionID()); err != nil {
		return nil, "", &hostError{err}
	}
	if claims.ProviderID != provider {
		return nil, "", token.ErrAudience
	}
	return claims, provider, nil
}

// hostError says that the provider of a site was not found.
type hostError struct{ cause error }

func (e *hostError) Error() string { return e.cause.Error() }

func (e *hostError) Unwrap() error { return e.cause }

// codeOfEntryError is the code for an error of [Gate.verifyLaunch].
func codeOfEntryError(err error) protocol.Code {
	if host, ok := errors.AsType[*hostError](err); ok {
		return codeOfHostError(host.cause)
	}
	return codeOfLaunchError(err)
}

// tokensOf reports whether a request has a cookie of the gate's, and of which session it is
// if the backend signed one of them.
func (g *Gate) tokensOf(r *http.Request) (some bool, session string) {
	left := maxVerified
	look := func(raw string) bool {
		some = true
		if s := g.edge.Sessions.ByToken(raw); s != nil {
			session = s.ID()
		} else if left--; left >= 0 && !strings.HasPrefix(raw, edge.ProvisionalPrefix) {
			claims, err := g.edge.Verifier.Verify(r.Context(), raw, token.Expect{
				Kinds: []token.Kind{token.Session}, IgnoreExpiry: true, Now: time.UnixMilli(g.edge.Clock.NowMS()),
			})
			if err == nil {
				session = claims.SessionID()
			}
		}
		return session == "" && left > 0
	}
	name := cookieName(r)
	eachSessionCookie(r, name, look)
	if session == "" {
		eachSessionCookie(r, name+crossSuffix, look)
	}
	if session == "" {
		eachKept(r, look)
	}
	return some, session
}

// askerOf is on whose behalf a request's host is looked up.
func askerOf(r *http.Request, valid bool) edge.Asker {
	by := edge.Asker{Kind: edge.ByStranger, Address: addressKey(r)}
	if valid {
		by.Kind = edge.ByToken
	}
	return by
}

// handshakeAsker is the client of a TLS handshake.
func handshakeAsker(ctx context.Context) edge.Asker {
	by := edge.Asker{Kind: edge.ByCertificate}
	if hello, ok := ctx.Value(certmagic.ClientHelloInfoCtxKey).(*tls.ClientHelloInfo); ok && hello != nil && hello.Conn != nil {
		by.Address = networkOf(hello.Conn.RemoteAddr().String())
	}
	return by
}

// addressKey is the address of a request's client, by which its uses are limited. Behind
// a proxy, that is the client's as trusted_proxies says, or else the proxy's.
func addressKey(r *http.Request) string {
	if ip, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string); ok && ip != "" {
		return networkOf(ip)
	}
	return networkOf(r.RemoteAddr)
}

// networkOf is an IPv4 address, or the network of an IPv6 address: one customer usually
// has 64 bits of addresses.
func networkOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	network, err := ip.Prefix(64)
	if err != nil {
		return ip.String()
	}
	return network.String()
}
