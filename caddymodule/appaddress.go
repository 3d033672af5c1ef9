package caddymodule

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// appAddress is where an app believes itself to be, if it refuses its public name:
// Host, Origin and Referer of requests are changed to it, and what the app says of its
// own address is changed back.
type appAddress struct{ scheme, host string }

// appHostVar is the request's variable that holds the Host that the app is asked for.
const appHostVar = "session_gate.app_host"

// parseAppAddress reads the option app_address.
func parseAppAddress(raw string) (*appAddress, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("app_address must be the address that the app expects, with scheme and host only, such as http://localhost:8888")
	}
	return &appAddress{u.Scheme, u.Host}, nil
}

func (a *appAddress) origin() string { return a.scheme + "://" + a.host }

// present changes a request to one for the app's own address. The request is a copy of
// the server's, and shares its header.
func (a *appAddress) present(r *http.Request, public string) {
	caddyhttp.SetVar(r.Context(), publicHostVar, r.Host) // for dynamic session_gate
	caddyhttp.SetVar(r.Context(), appHostVar, a.host)
	r.Host = a.host
	if strings.EqualFold(r.Header.Get("Origin"), public) {
		r.Header.Set("Origin", a.origin())
	}
	if referer, ok := moved(r.Header.Get("Referer"), public, a.origin()); ok {
		r.Header.Set("Referer", referer)
	}
}

// restore changes what the header of an answer says of the app's address.
func (a *appAddress) restore(h http.Header, public string) {
	for _, name := range []string{"Location", "Content-Location", "Access-Control-Allow-Origin"} {
		if to, ok := moved(h.Get(name), a.origin(), public); ok {
			h.Set(name, to)
		} else if _, host, ok := strings.Cut(public, "://"); ok {
			if to, ok := moved(h.Get(name), "//"+a.host, "//"+host); ok {
				h.Set(name, to)
			}
		}
	}
	if wait, to, ok := strings.Cut(h.Get("Refresh"), "="); ok {
		if to, ok := moved(to, a.origin(), public); ok {
			h.Set("Refresh", wait+"="+to)
		}
	}
	name := (&url.URL{Host: a.host}).Hostname()
	for i, line := range h["Set-Cookie"] {
		parts := strings.Split(line, ";")
		kept := slices.DeleteFunc(parts, func(part string) bool {
			attribute, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			return strings.EqualFold(attribute, "Domain") && strings.EqualFold(strings.TrimPrefix(value, "."), name)
		})
		h["Set-Cookie"][i] = strings.Join(kept, ";")
	}
}

// moved replaces the origin from at the beginning of an address.
func moved(address, from, to string) (string, bool) {
	if len(address) < len(from) || !strings.EqualFold(address[:len(from)], from) {
		return "", false
	}
	rest := address[len(from):]
	if rest != "" && !strings.ContainsRune("/?#", rune(rest[0])) {
		return "", false // a longer host, or another port
	}
	return to + rest, true
}

// publicOrigin is the origin that the browser shows for r.
func publicOrigin(r *http.Request) string { return scheme(r) + "://" + r.Host }

// pastGate passes a request on that is under no session, with app_address applied.
func (g *Gate) pastGate(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if g == nil || g.app == nil {
		return next.ServeHTTP(w, r)
	}
	public := publicOrigin(r)
	inner := *r
	g.app.present(&inner, public)
	return next.ServeHTTP(&restoringWriter{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, app: g.app, public: public}, &inner)
}

// restoringWriter is the writer of such a request.
type restoringWriter struct {
	*caddyhttp.ResponseWriterWrapper
	app    *appAddress
	public string
}

// WriteHeader implements [http.ResponseWriter].
func (w *restoringWriter) WriteHeader(status int) {
	w.app.restore(w.Header(), w.public)
	w.ResponseWriterWrapper.WriteHeader(status)
}
