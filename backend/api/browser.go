package api

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/backend/dashboard"
	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	signInCookie = "sg_sign_in"
	// Browsers accept a cookie with this prefix only over TLS and for this host alone.
	hostPrefix = "__Host-"

	afterSignIn   = dashboard.Path
	maxReturnPath = 512
)

// secure reports whether browsers connect over TLS.
func (o Options) secure() bool { return strings.HasPrefix(o.Issuer, "https://") }

// cookieName returns a cookie's name, with the prefix __Host- if browsers connect over
// TLS.
func (o Options) cookieName(name string) string {
	if o.secure() {
		return hostPrefix + name
	}
	return name
}

// cookie returns a cookie that scripts cannot read and other sites cannot send.
// Without a value it deletes the cookie.
func (o Options) cookie(name, value string, keep time.Duration) *http.Cookie {
	c := &http.Cookie{
		Name: o.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: o.secure(),
		SameSite: http.SameSiteLaxMode, MaxAge: int(keep / time.Second),
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// cookieValue returns the value of r's cookie of this name, or "".
func (o Options) cookieValue(r *http.Request, name string) string {
	c, err := r.Cookie(o.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// signedIn returns the caller whom the sign-in cookie identifies, or
// [service.ErrNotFound].
func (a *api) signedIn(r *http.Request) (service.Caller, error) {
	return a.s.SignedIn(r.Context(), a.cookieValue(r, signInCookie))
}

// otherSites rejects requests that pages of other sites cause.
var otherSites = http.NewCrossOriginProtection()

// callerByCookie returns the person behind a request without Authorization.
// Requests that change something must come from our own pages, because browsers
// also send cookies with requests that other sites' pages make.
func (a *api) callerByCookie(r *http.Request) (service.Caller, error) {
	c, err := a.signedIn(r)
	if errors.Is(err, service.ErrNotFound) {
		return c, service.Refuse(protocol.Unauthorized, "Send an API key or a session token: Authorization: Bearer …; or sign in at "+service.AuthPath)
	}
	if err != nil {
		return c, err
	}
	if err := otherSites.Check(r); err != nil {
		return c, &service.Refusal{Code: protocol.Forbidden, Detail: "Cross-site requests are not allowed.", Cause: err}
	}
	return c, nil
}

// localPath returns the path to open after sign-in: to, if it is a path of this
// host, or the default. Paths that browsers could interpret as another host are
// rejected.
func localPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || len(to) > maxReturnPath || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(to, "/") ||
		strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\t\r\n") {
		return afterSignIn
	}
	return to
}

// crossOrigin answers the preflight requests of browsers, and marks responses that a
// page of another origin may read. It reports whether it answered the request.
//
// A provider that integrates the SDK by code calls this API from its own origin, with
// the session's token in a header. No cookie is used, so any origin may call: a page
// without the token learns nothing. Endpoints that take an API key allow no other
// origins, since keys do not belong in pages.
func (a *api) crossOrigin(w http.ResponseWriter, r *http.Request) (answered bool) {
	if r.Header.Get("Origin") == "" {
		return false
	}
	asked := r.Header.Get("Access-Control-Request-Method")
	if r.Method != http.MethodOptions || asked == "" {
		if _, pattern := a.mux.Handler(r); a.fromPages[pattern] {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Access-Control-Expose-Headers", "Retry-After, "+protocol.HeaderRequestID)
		}
		return false
	}
	probe := r.Clone(r.Context())
	probe.Method = asked
	if _, pattern := a.mux.Handler(probe); !a.fromPages[pattern] {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", asked)
	h.Set("Access-Control-Allow-Headers", strings.Join([]string{
		"Authorization", "Content-Type", protocol.HeaderIdempotencyKey, protocol.HeaderRequestID,
	}, ", "))
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
	return true
}
