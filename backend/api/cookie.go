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
	// A browser sets a cookie of this prefix only over TLS, for this host alone.
	hostPrefix = "__Host-"

	afterSignIn   = dashboard.Path
	maxReturnPath = 512
)

// secure reports whether browsers reach us by TLS.
func (o Options) secure() bool { return strings.HasPrefix(o.Issuer, "https://") }

// cookieName is a cookie's name, as safe as the address allows.
func (o Options) cookieName(name string) string {
	if o.secure() {
		return hostPrefix + name
	}
	return name
}

// cookie is one that no script reads and no other site sends; without a value it
// removes itself.
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

// cookieValue is what r's cookie of this name holds; empty: nothing.
func (o Options) cookieValue(r *http.Request, name string) string {
	c, err := r.Cookie(o.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// signedIn is who the request's cookie stands for; errNotFound: nobody.
func (a *api) signedIn(r *http.Request) (service.Caller, error) {
	return a.s.SignedIn(r.Context(), a.cookieValue(r, signInCookie))
}

// otherSites holds what a page of another site may have a browser send.
var otherSites = http.NewCrossOriginProtection()

// callerByCookie is the person behind a request without Authorization. What
// changes something must come from a page of ours: a browser sends its cookies
// whoever wrote the page.
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

// localPath is where a browser may go after signing in: a path of ours, or the
// default. What a browser could take for another host is none.
func localPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || len(to) > maxReturnPath || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(to, "/") ||
		strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\t\r\n") {
		return afterSignIn
	}
	return to
}
