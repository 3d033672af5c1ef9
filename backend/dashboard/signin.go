package dashboard

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
)

var (
	//go:embed static/tokens.css
	tokens string
	//go:embed static/signin.css
	signInStyle string
	//go:embed static/signin.html
	signInPage string

	signInTemplate = template.Must(template.New("signin").Parse(signInPage)) // embedded: tested
	signInCSS      = "\n" + tokens + signInStyle
	signInPolicy   = fmt.Sprintf("default-src 'none'; style-src '%s'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'", sourceHash(signInCSS))
)

// SignIn is the page on which people sign in, or see that they are.
type SignIn struct {
	// Where to go afterwards: a path of ours.
	To string
	// What went wrong, in a sentence; empty: nothing.
	Problem string
	// The identity provider's name; empty: there is none, and keys only.
	Provider string

	// Who is signed in: an address or a key's name, and a role; no role: nobody.
	Name       string
	Role       string
	ProviderID string
	// Other roles of the same person.
	Others []Role
}

// Role is one thing that a person may be.
type Role struct {
	ID, Role, ProviderID string
}

// Write answers with the page and a status.
func (s SignIn) Write(w http.ResponseWriter, status int) error {
	return writePage(w, status, signInTemplate, signInPolicy, struct {
		SignIn
		CSS template.CSS
	}{s, template.CSS(signInCSS)})
}

// writePage answers with a page that loads nothing and that nobody frames.
func writePage(w http.ResponseWriter, status int, t *template.Template, policy string, view any) error {
	var page bytes.Buffer
	if err := t.Execute(&page, view); err != nil {
		return fmt.Errorf("writing page: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	_, err := w.Write(page.Bytes())
	return err
}

// sourceHash lets a policy permit one inline element.
func sourceHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

var (
	//go:embed portal.html
	portalPage string
	//go:embed portal.js
	portalScript string

	portalTemplate = template.Must(template.New("portal").Parse(portalPage)) // embedded: tested
	portalJS       = "\n" + portalScript
	portalPolicy   = fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
		sourceHash(signInCSS), sourceHash(portalJS))
)

// WritePortal answers with the page on which a portal link opens. It is the
// same for every link: what a link carries stands in its fragment, which the
// page takes from the address bar and sends once its reader presses the button.
func WritePortal(w http.ResponseWriter) error {
	return writePage(w, http.StatusOK, portalTemplate, portalPolicy, struct {
		CSS template.CSS
		JS  template.JS
	}{template.CSS(signInCSS), template.JS(portalJS)})
}
