package api

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

type contextKey int

const (
	callerKey contextKey = iota
	requestIDKey
	addressKey
)

func callerOf(ctx context.Context) service.Caller {
	c, _ := ctx.Value(callerKey).(service.Caller)
	return c
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

// authenticate admits only callers with one of these roles. A session's JWT is
// accepted only for the session in the path.
func (a *api) authenticate(roles []service.Role, budget service.Budget) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(hc)
		c, err := a.authorize(r, roles, budgetOf(r, budget))
		if err == nil && r.Method != http.MethodGet && r.Header.Get(protocol.HeaderIdempotencyKey) != "" {
			err = a.s.LimitAnswers(r.Context(), c)
		}
		if err != nil {
			p := problemOf(err)
			a.logRefusal(r.Context(), p, err)
			p.write(w)
			return
		}
		hc = huma.WithValue(hc, callerKey, c)
		next(huma.WithContext(hc, service.WithCaller(hc.Context(), c)))
	}
}

// budgetOf returns the budget of a request to a route with this budget. An edge says what
// it looks a host up for.
func budgetOf(r *http.Request, of service.Budget) service.Budget {
	if of == service.HostBudget && r.Header.Get(protocol.HeaderPurpose) == protocol.PurposeCertificate {
		return service.CertificateBudget
	}
	return of
}

// makeRoom refuses an expensive read while too many are under way.
func (a *api) makeRoom(hc huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(hc)
	end, err := a.s.BeginRead(callerOf(r.Context()))
	if err != nil {
		p := problemOf(err)
		a.logRefusal(r.Context(), p, err)
		p.write(w)
		return
	}
	defer end()
	next(hc)
}

// limitAddress limits requests without a key by the client's address.
func (a *api) limitAddress(hc huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(hc)
	if err := a.s.LimitAddress(r.Context(), a.addressOf(r)); err != nil {
		problemOf(err).write(w)
		return
	}
	next(hc)
}

func (a *api) authorize(r *http.Request, roles []service.Role, budget service.Budget) (service.Caller, error) {
	bearer := bearerOf(r.Header.Get("Authorization"))
	if r.Header.Get("Authorization") == "" && (slices.Contains(roles, service.RoleProvider) || slices.Contains(roles, service.RoleAdmin)) {
		c, err := a.callerByCookie(r)
		if err != nil && r.Header.Get("Cookie") != "" && problemOf(err).Status == http.StatusUnauthorized {
			err = cmp.Or(a.s.LimitAddress(r.Context(), a.addressOf(r)), err) // like a wrong key
		}
		if err == nil && !slices.Contains(roles, c.Role) {
			err = service.Refuse(protocol.Forbidden, "Callers with the role "+string(c.Role)+" may not do this.")
		}
		if err == nil {
			err = a.s.LimitCaller(r.Context(), c, budget)
		}
		return c, err
	}
	if bearer == "" {
		return service.Caller{}, service.Refuse(protocol.Unauthorized, "Send an API key or a session token: Authorization: Bearer …")
	}
	if !strings.HasPrefix(bearer, "sg_") && !slices.Contains(roles, service.RoleSession) {
		return service.Caller{}, service.Refuse(protocol.Unauthorized, "An API key is required.")
	}
	c, err := a.s.Identify(r.Context(), bearer)
	if err != nil {
		// Only failed attempts count against the address, so that clients with a
		// valid key at the same address are not limited.
		if problemOf(err).Status == http.StatusUnauthorized {
			if limit := a.s.LimitAddress(r.Context(), a.addressOf(r)); limit != nil {
				return c, limit
			}
		}
		return c, err
	}
	switch {
	case slices.Contains(roles, c.Role):
	case c.Role == service.RoleLaunch:
		if limit := a.s.LimitAddress(r.Context(), a.addressOf(r)); limit != nil {
			return c, limit
		}
		return c, c.MayNot()
	default:
		return c, service.Refuse(protocol.Forbidden, "Callers with the role "+string(c.Role)+" may not do this.")
	}
	if (c.Role == service.RoleSession || c.Role == service.RoleLaunch) && c.SessionID != r.PathValue("id") {
		return c, service.Refuse(protocol.TokenMismatch, "The token belongs to another session.")
	}
	return c, a.s.LimitCaller(r.Context(), c, budget)
}

func bearerOf(header string) string {
	scheme, rest, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(rest)
}

// addressOf returns the client's address: the last one that is not a trusted proxy.
func (a *api) addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && a.trusts(host); i-- {
		hop, ok := parseHop(hops[i])
		if !ok {
			break // entries further left may be forged
		}
		host = hop.String()
	}
	return host
}

// parseHop parses an entry of X-Forwarded-For. Some proxies add the client's port.
func parseHop(entry string) (netip.Addr, bool) {
	entry = strings.Trim(strings.TrimSpace(entry), `"`)
	if ap, err := netip.ParseAddrPort(entry); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]"))
	return addr.Unmap().WithZone(""), err == nil
}

func (a *api) trusts(host string) bool {
	address, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, p := range a.Trusted {
		if p.Contains(address.Unmap()) {
			return true
		}
	}
	return false
}
