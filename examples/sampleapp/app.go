// Package sampleapp is Saltmarsh, the field notebook of a tidal marsh: a small
// web app as anyone might run one, for trying things out on.
//
//	GET  /               today: weather (polls /status.json), latest notes
//	GET  /notes          all notes; ?habitat= filters
//	GET  /notes/{id}     one note, under a strict Content-Security-Policy
//	GET  /notes/new      a form
//	POST /notes/new      its result: 303 to the note, or 422 and the form again
//	GET  /live           gauges, drawn from /live/feed (an event per second)
//	GET  /chat           the wardens' channel, over /chat/socket (WebSocket)
//	GET  /download       the season as CSV, some MB over 30 s; ?fast=1 at once
//	GET  /status.json    the weather station
//	GET  /whoami         the request as it arrived, as JSON
//	GET  /slow?ms=       an answer after so many milliseconds (60,000 at most)
//
// Pages answer gzip to those who accept it. Everything lives in memory and
// begins anew with the process.
package sampleapp

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed templates/*.html static/*
var files embed.FS

// Config is optional throughout.
type Config struct {
	// How long /download takes without ?fast=1. Default: 30 s.
	DownloadFor time.Duration
	// Time between events of /live/feed. Default: 1 s.
	Tick time.Duration
	// Default: time.Now.
	Now func() time.Time
	// Default: silence.
	Logger *slog.Logger
}

// app is the server behind [New].
type app struct {
	config  Config
	pages   map[string]*template.Template
	version string // of the static files
	notes   *notebook
	channel *channel
}

// New builds the app.
func New(config Config) http.Handler {
	if config.DownloadFor <= 0 {
		config.DownloadFor = 30 * time.Second
	}
	if config.Tick <= 0 {
		config.Tick = time.Second
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	a := &app{
		config: config, pages: parsePages(), version: staticVersion(),
		notes: newNotebook(config.Now()), channel: newChannel(config.Now()),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /static/{file}", a.static)
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /notes", a.listNotes)
	mux.HandleFunc("GET /notes/new", a.newNote)
	mux.HandleFunc("POST /notes/new", a.postNote)
	mux.HandleFunc("GET /notes/{id}", a.showNote)
	mux.HandleFunc("GET /live", a.live)
	mux.HandleFunc("GET /live/feed", a.feed)
	mux.HandleFunc("GET /chat", a.chat)
	mux.HandleFunc("GET /chat/socket", a.socket)
	mux.HandleFunc("GET /download", a.download)
	mux.HandleFunc("GET /status.json", a.status)
	mux.HandleFunc("GET /whoami", a.whoami)
	mux.HandleFunc("GET /slow", a.slow)
	mux.HandleFunc("/", a.notFound)
	return mux
}

// view is what every template gets.
type view struct {
	Title   string
	Section string // the entry of the menu that is open
	Version string
	// For inline scripts under a policy with nonces; else "".
	Nonce string
	Now   time.Time
	Data  any
}

func (a *app) page(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	v.Version, v.Now = a.version, a.config.Now()
	var b bytes.Buffer
	if err := a.pages[name].ExecuteTemplate(&b, "layout", v); err != nil {
		a.config.Logger.Error("rendering", "page", name, "error", err)
		http.Error(w, "The page could not be drawn.", http.StatusInternalServerError)
		return
	}
	a.send(w, r, status, "text/html; charset=utf-8", b.Bytes())
}

// send writes a whole body, compressed for those who ask for gzip by name.
func (a *app) send(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Add("Vary", "Accept-Encoding")
	if acceptsGzip(r.Header.Get("Accept-Encoding")) && len(body) > 512 {
		var b bytes.Buffer
		zw := gzip.NewWriter(&b)
		_, _ = zw.Write(body) // into memory
		_ = zw.Close()
		body = b.Bytes()
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// acceptsGzip reads Accept-Encoding. Without gzip in it, bodies go as they are.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		if _, q, ok := strings.Cut(params, "="); ok {
			weight, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
			return err == nil && weight > 0
		}
		return true
	}
	return false
}

func (a *app) json(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		a.config.Logger.Error("encoding", "path", r.URL.Path, "error", err)
		http.Error(w, "The answer could not be written.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	a.send(w, r, status, "application/json", append(body, '\n'))
}

func (a *app) notFound(w http.ResponseWriter, r *http.Request) {
	a.page(w, r, http.StatusNotFound, "missing", view{Title: "Off the path"})
}

var staticTypes = map[string]string{
	"site.css": "text/css; charset=utf-8",
	"home.js":  "text/javascript; charset=utf-8",
	"live.js":  "text/javascript; charset=utf-8",
	"chat.js":  "text/javascript; charset=utf-8",
	"mark.svg": "image/svg+xml",
}

func (a *app) static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	body, err := files.ReadFile("static/" + name)
	if err != nil || staticTypes[name] == "" {
		a.notFound(w, r)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	a.send(w, r, http.StatusOK, staticTypes[name], body)
}

func staticVersion() string {
	sum := sha256.New()
	for _, name := range []string{"site.css", "home.js", "live.js", "chat.js", "mark.svg"} {
		b, _ := files.ReadFile("static/" + name) // embedded: cannot fail
		_, _ = sum.Write(b)
	}
	return hex.EncodeToString(sum.Sum(nil))[:10]
}

func parsePages() map[string]*template.Template {
	funcs := template.FuncMap{
		"day":   func(t time.Time) string { return t.UTC().Format("Monday, 2 January") },
		"stamp": func(t time.Time) string { return t.UTC().Format("2 Jan, 15:04") },
		"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	}
	pages := map[string]*template.Template{}
	for _, name := range []string{"home", "notes", "note", "new", "live", "chat", "missing"} {
		pages[name] = template.Must(template.New(name).Funcs(funcs).
			ParseFS(files, "templates/layout.html", "templates/"+name+".html"))
	}
	return pages
}

// newNonce is fresh for every answer, as nonces must be.
func newNonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
