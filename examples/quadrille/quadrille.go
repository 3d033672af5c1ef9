// Package quadrille is a small web app of picture puzzles on squared paper, as
// anyone might run one, for trying things out on.
//
//	GET  /                     the puzzles
//	GET  /puzzles/{id}         one of them, to be solved
//	POST /puzzles/{id}/check   {"cells": "0110…"}: how many squares are wrong,
//	                           and what the picture is once none is
//	POST /puzzles/{id}/hint    the same, and the first square that is wrong
//	GET  /static/{file}
//
// Solutions stay on the server; what a visitor has filled in stays in the
// browser.
package quadrille

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"time"
)

//go:embed templates/*.html static/*
var files embed.FS

// app is the server behind [New].
type app struct {
	pages   map[string]*template.Template
	version string // of the static files
}

// New builds the app.
func New() http.Handler {
	a := &app{pages: map[string]*template.Template{}, version: staticVersion()}
	funcs := template.FuncMap{"inc": func(n int) int { return n + 1 }, "fifth": func(n, size int) bool { return n%5 == 4 && n+1 < size }}
	for _, name := range []string{"home", "puzzle", "missing"} {
		a.pages[name] = template.Must(template.New(name).Funcs(funcs).ParseFS(files, "templates/layout.html", "templates/"+name+".html"))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { a.page(w, http.StatusOK, "home", "Puzzles", Puzzles) })
	mux.HandleFunc("GET /puzzles/{id}", a.puzzle)
	mux.HandleFunc("POST /puzzles/{id}/check", a.answer)
	mux.HandleFunc("POST /puzzles/{id}/hint", a.answer)
	mux.HandleFunc("GET /static/{file}", a.static)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		a.page(w, http.StatusNotFound, "missing", "Off the grid", nil)
	})
	return mux
}

func (a *app) page(w http.ResponseWriter, status int, name, title string, data any) {
	var b bytes.Buffer
	view := map[string]any{"Title": title, "Version": a.version, "Data": data}
	if err := a.pages[name].ExecuteTemplate(&b, "layout", view); err != nil {
		http.Error(w, "The page could not be drawn.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// board is a puzzle as its page shows it: without its title.
type board struct {
	ID            string
	Number, Stars int
	Rows, Columns [][]int
	Next          string // the id of the one after it, "" after the last
}

func (a *app) puzzle(w http.ResponseWriter, r *http.Request) {
	for i, p := range Puzzles {
		if p.ID != r.PathValue("id") {
			continue
		}
		b := board{ID: p.ID, Number: i + 1, Stars: p.Stars, Rows: p.Rows(), Columns: p.Columns()}
		if i+1 < len(Puzzles) {
			b.Next = Puzzles[i+1].ID
		}
		a.page(w, http.StatusOK, "puzzle", "Puzzle "+strconv.Itoa(i+1), b)
		return
	}
	a.page(w, http.StatusNotFound, "missing", "Off the grid", nil)
}

// answer says what is wrong in a drawing, or that it is the picture. Both ask
// for it; only a hint says where.
func (a *app) answer(w http.ResponseWriter, r *http.Request) {
	p, ok := Find(r.PathValue("id"))
	if !ok {
		a.json(w, http.StatusNotFound, map[string]string{"error": "There is no such puzzle."})
		return
	}
	var in struct {
		Cells string `json:"cells"`
		// Where to look first: squares counted row by row.
		From int `json:"from"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&in); err != nil {
		a.json(w, http.StatusBadRequest, map[string]string{"error": `Send {"cells": "0110…"}, a digit for each square.`})
		return
	}
	wrong, first, err := p.Compare(in.Cells, max(in.From, 0))
	if err != nil {
		a.json(w, http.StatusBadRequest, map[string]string{"error": "This puzzle has " + strconv.Itoa(p.Size()*p.Size()) + " squares."})
		return
	}
	out := map[string]any{"wrong": wrong}
	if wrong == 0 {
		out["title"] = p.Title
	} else if r.URL.Path == "/puzzles/"+p.ID+"/hint" {
		out["hint"] = first
	}
	a.json(w, http.StatusOK, out)
}

func (a *app) json(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "The answer could not be written.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

var types = map[string]string{
	"quadrille.css": "text/css; charset=utf-8",
	"puzzle.js":     "text/javascript; charset=utf-8",
	"home.js":       "text/javascript; charset=utf-8",
	"mark.svg":      "image/svg+xml",
}

func (a *app) static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	body, err := files.ReadFile("static/" + name)
	if err != nil || types[name] == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", types[name])
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(body))
}

func staticVersion() string {
	sum := sha256.New()
	for _, name := range []string{"quadrille.css", "puzzle.js", "home.js", "mark.svg"} {
		b, _ := files.ReadFile("static/" + name) // embedded: cannot fail
		_, _ = sum.Write(b)
	}
	return hex.EncodeToString(sum.Sum(nil))[:10]
}
