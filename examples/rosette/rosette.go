// Package rosette is a drawing board that repeats every stroke around its
// center: a small web app as anyone might run one, for trying things out on.
//
//	GET  /               the board
//	GET  /static/{file}  its style sheet, its scripts and its mark
//
// It is all in the page: drawings stay in the visitor's browser. The page has a
// policy as strict as it can be: scripts by nonce, no connection anywhere, no
// markup from strings.
package rosette

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"time"
)

//go:embed page.html static/*
var files embed.FS

// New builds the app.
func New() http.Handler {
	page := template.Must(template.ParseFS(files, "page.html"))
	version := staticVersion()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /static/{file}", static)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		nonce := rand.Text() // fresh for every answer, as nonces must be
		var b bytes.Buffer
		if err := page.Execute(&b, map[string]string{"Nonce": nonce, "Version": version}); err != nil {
			http.Error(w, "The board could not be drawn.", http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+nonce+"'; style-src 'self'; img-src 'self' blob:; "+
			"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(b.Bytes())
	})
	return mux
}

var types = map[string]string{
	"rosette.css": "text/css; charset=utf-8",
	"drawing.js":  "text/javascript; charset=utf-8",
	"board.js":    "text/javascript; charset=utf-8",
	"mark.svg":    "image/svg+xml",
}

func static(w http.ResponseWriter, r *http.Request) {
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

// staticVersion changes with any of the files, so that pages and files of two
// versions never meet.
func staticVersion() string {
	sum := sha256.New()
	for _, name := range []string{"rosette.css", "drawing.js", "board.js", "mark.svg"} {
		b, _ := files.ReadFile("static/" + name) // embedded: cannot fail
		_, _ = sum.Write(b)
	}
	return hex.EncodeToString(sum.Sum(nil))[:10]
}
