package caddymodule

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/sessiongate/sessiongate/internal/protocol"
	sdkinject "github.com/sessiongate/sessiongate/sdk-inject"
)

//go:embed pages/refusal.html
var refusalHTML string

//go:embed pages/refusal.css
var refusalCSS string

// page is the data of a refusal page, built-in or an operator's own template.
type page struct {
	Code  protocol.Code
	Title string
	Text  string
	Tone  string // "calm", "warn" or "bad": the color of the mark
	// Where the link leads. Empty: no link.
	Back      string
	BackLabel string
	// The label of the link that reloads the page. Empty: no link.
	RetryLabel string
	// What the form of a page sends in its field "to", and where the form is sent: the
	// address that a resumed session continues at, or the launch link that is opened.
	// Empty: no form.
	ResumeTo, ResumeAction string
	Lang, Dir              string
	// The app's name, its first letter and the URL of its logo. Without a logo, Logo is
	// empty; without a name of the provider's, App is the host and Initial is empty.
	App, Initial, Logo string
	// What the provider tells visitors of a site that is closed, and when it is expected to
	// be open again, as in "2 h 30 min". Empty: nothing.
	Message, Expected string
	// Links to where a session can be had, if Back does not lead there, and to the
	// provider's support. Empty: no link.
	Shop, ShopLabel       string
	Support, SupportLabel string
	// The shared colors, spaces and type, and the styles of the built-in page, in the
	// provider's colors.
	Style template.CSS
}

// pageStyle is every style of the page, in one element that the page's policy names by its
// hash, together with a provider's colors. Nothing else is allowed to load or run, but a
// provider's logo.
var (
	pageStyle    = sdkinject.TokensCSS() + refusalCSS
	pageTemplate = template.Must(template.New("refusal").Parse(refusalHTML))
)

// policyFor is the content security policy of a page with this style, and with pictures of
// one source; "" for none.
func policyFor(style, pictures string) string {
	sum := sha256.Sum256([]byte(style))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; "
	if pictures != "" {
		policy += "img-src " + pictures + "; "
	}
	return policy + "base-uri 'none'; " + anyFrame
}

// Which pages may show a page of the gate in a frame.
const (
	anyFrame = "frame-ancestors *"
	noFrame  = "frame-ancestors 'none'"
)

// customPolicy is for operators' own templates: styles and pictures of any kind,
// but no script.
const customPolicy = "default-src 'none'; style-src 'self' 'unsafe-inline' https:; img-src 'self' data: https:; " +
	"font-src 'self' data: https:; base-uri 'none'; " + anyFrame

// noForms is added to the policy of pages without a form. A page with one allows any
// target, because browsers apply form-action to redirects as well, and the resumed
// page may lead on to another site.
const noForms = "; form-action 'none'"

// loadTemplate reads an operator's own page and executes it once, so that a mistake
// in it is reported when the configuration is loaded.
func loadTemplate(path string) (*template.Template, error) {
	t, err := template.ParseFiles(path)
	if err != nil {
		return nil, fmt.Errorf("reading page_template: %w", err)
	}
	sample := pageOf(protocol.SessionExpired, "https://market.example/", english)
	sample.App = "app.example"
	if err := t.Execute(io.Discard, sample); err != nil {
		return nil, fmt.Errorf("executing page_template: %w", err)
	}
	return t, nil
}

// writePage answers with a page of the gate's own, or of the operator's.
func (g *Gate) writePage(w http.ResponseWriter, r *http.Request, status int, p page) error {
	p = g.brandPage(r, p)
	t, policy := pageTemplate, g.settingsFor(r).rules().brand.policy
	if g.template != nil {
		t, policy = g.template, customPolicy
	}
	var body bytes.Buffer
	if err := t.Execute(&body, p); err != nil {
		return fmt.Errorf("writing the gate's page: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", p.Lang)
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("Referrer-Policy", "no-referrer")
	if p.Code == protocol.AnotherSession && p.ResumeTo != "" && !g.settingsFor(r).partitioned() {
		// A browser that does not say what a request is for may show the form in a frame.
		policy = strings.Replace(policy, anyFrame, noFrame, 1)
	}
	if p.ResumeTo == "" {
		policy += noForms
	} else { // without a referrer, browsers send the form with "Origin: null"
		h.Set("Referrer-Policy", "same-origin")
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(body.Bytes())
	return err
}

// pageOf is the page for a refusal; back is where its button leads, or "".
func pageOf(code protocol.Code, back string, t *texts) page {
	p := page{Code: code, Back: back, BackLabel: t.Back, Tone: "calm", Lang: t.lang, Dir: t.Dir, Style: template.CSS(pageStyle)}
	p.Title, p.Text = t.page(code)
	switch code {
	case protocol.SessionMissing:
		p.BackLabel = t.Shop
	case protocol.SessionPaused:
		p.RetryLabel, p.ResumeAction = t.Resume, protocol.GateResume
	case protocol.OriginUnavailable:
		p.Tone, p.RetryLabel = "bad", t.Retry
	case protocol.InMaintenance:
		p.RetryLabel = t.Retry
	case protocol.BackendUnavailable, protocol.RateLimited:
		p.Tone, p.RetryLabel = "warn", t.Retry
	case protocol.LaunchInvalid, protocol.HostUnknown:
		p.Tone = "bad"
	case protocol.AnotherSession:
		p.RetryLabel, p.ResumeAction, p.BackLabel, p.Tone = t.Open, protocol.GateEnter, t.Stay, "warn"
	case protocol.SessionInvalid, protocol.SessionMoved, protocol.SessionRevoked, protocol.LaunchSpent, protocol.LaunchExpired, protocol.WrongProvider:
		p.Tone = "warn"
	}
	return p
}

// detailOf is the detail of a problem document: the text of the page for the code.
func detailOf(code protocol.Code) string {
	switch code {
	case protocol.CrossSite:
		return "Only pages of this site may call this endpoint."
	case protocol.AnotherSession:
		return "The browser has another session of this app. Open the launch link in a window, where the person is asked which session to use."
	case protocol.SessionMissing:
		return "The request has no session cookie. Open the app through a launch link from the marketplace."
	}
	title, text := english.page(code)
	return title + ". " + text
}
