package caddymodule

import (
	"errors"
	"io"
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
	for _, name := range []string{"Origin", "Referer"} {
		value := r.Header.Get(name)
		if own, ok := moved(value, public, a.origin()); ok {
			r.Header.Set(name, own)
			continue
		}
		// A page that really is at the app's address, such as one of another program on
		// the visitor's machine, is another site. The app must not take it for its own.
		// Many apps compare the host alone.
		_, rest, _ := strings.Cut(value, "://")
		if _, ok := moved(rest, a.host, ""); ok && name == "Origin" {
			r.Header.Set(name, "null")
		} else if ok {
			r.Header.Del(name)
		}
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
	caddyhttp.SetVar(r.Context(), creditVar, g)
	g.showSecret(r.Context())
	if g.app == nil {
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
	sent   bool // the header
}

// WriteHeader implements [http.ResponseWriter].
func (w *restoringWriter) WriteHeader(status int) {
	w.app.restore(w.Header(), w.public)
	w.sent = w.sent || status >= http.StatusOK || status == http.StatusSwitchingProtocols
	w.ResponseWriterWrapper.WriteHeader(status)
}

// Write implements [http.ResponseWriter]. It sends the header if the handler did not.
func (w *restoringWriter) Write(p []byte) (int, error) {
	w.sendHeader()
	return w.ResponseWriterWrapper.Write(p)
}

// ReadFrom implements [io.ReaderFrom].
func (w *restoringWriter) ReadFrom(src io.Reader) (int64, error) {
	w.sendHeader()
	return w.ResponseWriterWrapper.ReadFrom(src)
}

// FlushError is called by [http.ResponseController].
func (w *restoringWriter) FlushError() error {
	w.sendHeader()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *restoringWriter) sendHeader() {
	if !w.sent {
		w.WriteHeader(http.StatusOK)
	}
}
