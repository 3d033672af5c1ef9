// Package marketplace is a small marketplace that sells timed sessions through
// Sessiongate's HTTP API, as any marketplace would: with one API key, from its
// server, and nothing else of Sessiongate.
//
//	GET  /                    balance and apps
//	GET  /apps/{provider id}  one app: its terms, its times, the total
//	POST /buy                 create the session, then 303 to its launch_url
//	GET  /session/complete    receipt; the return_url of every session
//	POST /session/end         end a running session from here
//	GET  /history             the visitor's sessions
//	GET  /consent             agree to more time than the sale's offer held
//	POST /consent
//	GET  /tokens              the visitor's ledger
//	POST /topup               demo tokens; a real marketplace takes money here
//	GET  /healthz             204 while this server runs, whatever the API does
//
// Visitors are anonymous demo users. Nothing is stored here: sessions and
// tokens live at the API, the visitor's identity in a cookie.
package marketplace

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"
)

//go:embed templates/*.html static/*
var files embed.FS

// Server is the marketplace.
type Server struct {
	config   Config
	api      *api
	handler  http.Handler
	pages    map[string]*template.Template
	assets   map[string][]byte
	version  string // of the assets: part of their URLs, so that they cache for good
	csp      string
	launches launches
}

// New checks config and builds the marketplace. It does not call the API.
func New(config Config) (*Server, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	s := &Server{
		config: config,
		api:    &api{base: config.API, key: config.Key, client: config.Client},
		csp:    contentPolicy(config.Apps),
	}
	if err := s.loadFiles(); err != nil {
		return nil, err
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /static/{file}", s.serveAsset)
	mux.Handle("GET /{$}", s.page(s.home))
	mux.Handle("GET /apps/{app}", s.page(s.product))
	mux.Handle("GET /tokens", s.page(s.statement))
	mux.Handle("POST /buy", s.page(s.buy))
	mux.Handle("POST /topup", s.page(s.topUp))
	mux.Handle("GET /session/complete", s.page(s.receipt))
	mux.Handle("POST /session/end", s.page(s.end))
	mux.Handle("POST /session/open", s.page(s.openAgain))
	mux.Handle("GET /history", s.page(s.history))
	mux.Handle("GET /consent", s.page(s.consent))
	mux.Handle("POST /consent", s.page(s.agree))
	// Neither makes a demo user of whoever asks.
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, nil, errNoPage) })

	// Every POST here spends or moves tokens, so only our own pages may send
	// one: the browser names the sender in Sec-Fetch-Site, or in Origin.
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.message(w, r, nil, http.StatusForbidden, message{
			Title: "That request came from elsewhere",
			Text:  "Purchases are only taken from this marketplace's own pages. Nothing was charged.",
		})
	}))
	s.handler = guard.Handler(mux)
	return s, nil
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", s.csp)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store") // every page shows one visitor's account
	s.handler.ServeHTTP(w, r)
}

// contentPolicy allows our own files and nothing inline. Chromium holds
// form-action against the redirect that answers a form as well, and buying
// answers with a redirect to the app: apps without a known URL open it to all.
func contentPolicy(apps []App) string {
	forms := []string{"'self'"}
	for _, a := range apps {
		o := origin(a.URL)
		if o == "" {
			forms = []string{"'self'", "http:", "https:"}
			break
		}
		forms = append(forms, o)
	}
	return "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
		"base-uri 'none'; frame-ancestors 'none'; form-action " + strings.Join(forms, " ")
}

// handler answers one request of a known visitor. What it returns as an error
// becomes a page in [Server.fail].
type handler func(http.ResponseWriter, *http.Request, *visit) error

func (s *Server) page(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		v, err := s.visit(w, r)
		if err == nil {
			err = h(w, r, v)
		}
		if err != nil {
			s.fail(w, r, v, err)
		}
	})
}

// Errors of our own; those of the API are [apiError] and [errUnavailable].
var (
	errNoPage    = errors.New("no such page")
	errBadForm   = errors.New("a form that this marketplace did not render")
	errNoAccess  = errors.New("no such session of this visitor")
	errNoAddress = errors.New("the app has no address to open")
)

// fail turns an error into a page. It is the only place that does.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	status, m := http.StatusInternalServerError, message{
		Title: "Something went wrong on our side",
		Text:  "Nothing was charged that your receipt does not show. Please try again.",
	}
	var refusal *apiError
	switch {
	case errors.Is(err, errNoPage):
		status, m = http.StatusNotFound, message{
			Title: "There is no page here",
			Text:  "The address may be mistyped, or the page has moved.",
		}
	case errors.Is(err, errNoAccess), refused(err, "not_found"):
		status, m = http.StatusNotFound, message{
			Title: "We have no such session for you",
			Text:  "Receipts are shown only to the visitor who bought the session, in the same browser.",
		}
	case errors.Is(err, errBadForm):
		status, m = http.StatusBadRequest, message{
			Title: "That form is out of date",
			Text:  "Nothing was charged. Go back to the apps and choose again.",
		}
	case errors.Is(err, errNoAddress):
		status, m = http.StatusBadGateway, message{
			Title: "This app is not open yet",
			Text:  "Its provider has given no address for it. Your tokens are back in your balance.",
		}
	case errors.Is(err, errUnavailable):
		status, m = http.StatusServiceUnavailable, message{
			Title: "The till is closed for a moment",
			Text: "The service that keeps sessions and tokens does not answer. Your balance is safe, and a " +
				"session you are in runs on.",
			Retry: r.Method == http.MethodGet,
		}
		w.Header().Set("Retry-After", "5")
	case errors.As(err, &refusal):
		status = http.StatusBadGateway
	}
	if status >= 500 {
		s.config.Logger.Error("answering with an error page", "path", r.URL.Path, "error", err)
	}
	s.message(w, r, v, status, m)
}

// message is a page that says one thing.
type message struct {
	Title string
	Text  string
	// Whether trying again may help.
	Retry bool
}

func (s *Server) message(w http.ResponseWriter, r *http.Request, v *visit, status int, m message) {
	s.render(w, r, v, status, "message", m.Title, m)
}

// view is what every template gets.
type view struct {
	Title   string
	Path    string
	Version string
	// Nil when it could not be read.
	Balance *Balance
	// Names this rendering of a form: sent twice, it buys once.
	Nonce string
	TopUp int64
	// Whether a top-up has just been made.
	ToppedUp bool
	Now      time.Time
	Data     any
}

func (s *Server) render(w http.ResponseWriter, r *http.Request, v *visit, status int, page, title string, data any) {
	out := view{
		Title: title, Path: r.URL.Path, Version: s.version,
		Nonce: newSecret(), TopUp: s.config.StartBalance,
		ToppedUp: r.Method == http.MethodGet && status == http.StatusOK && r.URL.Query().Get("notice") == "topup", Now: s.config.Now(), Data: data,
	}
	if v != nil {
		out.Balance = v.balance
	}
	var b bytes.Buffer // so that a failing template sends no half page
	if err := s.pages[page].ExecuteTemplate(&b, "layout", out); err != nil {
		s.config.Logger.Error("rendering", "page", page, "error", err)
		http.Error(w, "Something went wrong on our side.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// loadFiles parses the templates and names the assets by what is in them.
func (s *Server) loadFiles() error {
	s.pages = map[string]*template.Template{}
	for _, name := range []string{"home", "app", "receipt", "history", "tokens", "consent", "poor", "message"} {
		t, err := template.New(name).Funcs(s.funcs()).
			ParseFS(files, "templates/layout.html", "templates/parts.html", "templates/"+name+".html")
		if err != nil {
			return fmt.Errorf("parsing page %s: %w", name, err)
		}
		s.pages[name] = t
	}
	s.assets = map[string][]byte{}
	sum := sha256.New()
	for _, name := range []string{"app.css", "app.js", "mark.svg"} {
		b, err := files.ReadFile("static/" + name)
		if err != nil {
			return fmt.Errorf("reading asset %s: %w", name, err)
		}
		if name == "app.css" {
			b = append([]byte(s.config.TokensCSS+"\n"), b...)
		}
		s.assets[name] = b
		_, _ = sum.Write(b)
	}
	for _, a := range s.config.Apps {
		if len(a.Picture) > 0 {
			s.assets[pictureName(a)] = a.Picture
			_, _ = sum.Write(a.Picture)
		}
	}
	s.version = hex.EncodeToString(sum.Sum(nil))[:12]
	return nil
}

// pictureName is the file that an app's picture is served as.
func pictureName(a App) string { return "app-" + a.ProviderID + ".svg" }

func (s *Server) serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	b, ok := s.assets[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.URL.Query().Get("v") == s.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		w.Header().Set("Cache-Control", "no-cache")
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
}

var _ http.Handler = (*Server)(nil)
