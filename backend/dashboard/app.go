// Package dashboard is the pages of the session service that people look at.
// Everything is embedded; a page loads nothing from elsewhere.
package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

// Path is where the app is; every path below it is a page of it, or a file.
const Path = "/dashboard/"

const (
	// What a page of the app may load: our own, from here.
	appPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
		"frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	forEver = "public, max-age=31536000, immutable"
)

var (
	//go:embed static/app.html
	appPage string
	//go:embed static/app.js
	appScript []byte
	//go:embed static/app.css
	appStyle []byte

	script = newFile("app", "js", "text/javascript; charset=utf-8", appScript)
	style  = newFile("app", "css", "text/css; charset=utf-8", appStyle)
	page   = render(appPage)
)

// file is served under a name that carries the hash of its content, so that a
// browser keeps it for ever, and asks for the next version by another name.
type file struct {
	name, contentType, etag string
	body, packed            []byte
}

func newFile(base, extension, contentType string, body []byte) file {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])[:16]
	var packed bytes.Buffer
	// None of these can fail: the level is valid and a Buffer takes every write.
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	_, _ = w.Write(body)
	_ = w.Close()
	return file{
		name: base + "." + hash + "." + extension, contentType: contentType, etag: `"` + hash + `"`,
		body: body, packed: packed.Bytes(),
	}
}

func render(source string) []byte {
	var made bytes.Buffer
	names := struct{ Script, Style, Preview string }{script.name, style.name, previewScript.name}
	err := template.Must(template.New("app").Parse(source)).Execute(&made, names)
	if err != nil { // embedded: tested
		panic("dashboard: " + err.Error())
	}
	return made.Bytes()
}

// IsFile reports whether a path is one of the app's files, of this version or
// another, rather than a page.
func IsFile(path string) bool {
	return strings.HasPrefix(path, Path+"app.") || strings.HasPrefix(path, Path+"preview.")
}

// ServeApp answers GET and HEAD below [Path]: with the app's files, and with its
// one page for every other path, which the app reads by itself.
func ServeApp(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, Path)
	if name == previewName {
		servePreview(w)
		return
	}
	for _, f := range []file{script, style, previewScript} {
		if name == f.name {
			f.serve(w, r)
			return
		}
	}
	// The files of another version are gone: a page must not run as a script.
	if IsFile(r.URL.Path) {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", appPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	w.Write(page) // a reader that has left is no error of ours
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", forEver)
	h.Set("ETag", f.etag)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == f.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := f.body
	if acceptsGzip(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		body = f.packed
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		w.Write(body) // a reader that has left is no error of ours
	}
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3) as browsers send it.
func acceptsGzip(header string) bool {
	for _, coding := range strings.Split(header, ",") {
		name, parameters, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			quality := strings.TrimSpace(parameters)
			return quality != "q=0" && quality != "q=0.0"
		}
	}
	return false
}
