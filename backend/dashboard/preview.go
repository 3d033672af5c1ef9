package dashboard

import (
	_ "embed"
	"net/http"
)

// previewName is the page below [Path] that shows a provider its clock and pages as its
// settings make them. The app has it in a frame.
const previewName = "preview"

// The page has an origin of its own, so that it can reach neither the app nor the API.
// It may load pictures, because a provider's logo is somewhere else; the app names one
// to it only while the provider itself is signed in.
const previewPolicy = "default-src 'none'; script-src 'self'; img-src https: http://localhost:* http://127.0.0.1:*; " +
	"sandbox allow-scripts; form-action 'none'; frame-ancestors 'self'; base-uri 'none'"

var (
	//go:embed static/preview.html
	previewPage string
	//go:embed static/preview.js
	previewCode []byte

	previewScript = newFile("preview", "js", "text/javascript; charset=utf-8", previewCode)
	previewBody   = render(previewPage)
)

func servePreview(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", previewPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.Write(previewBody) // a reader that has left is no error of ours
}
