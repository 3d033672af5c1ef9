package caddymodule

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strconv"

	"github.com/sessiongate/sessiongate/internal/protocol"
	sdkinject "github.com/sessiongate/sessiongate/sdk-inject"
)

//go:embed pages/refusal.html
var refusalHTML string

//go:embed pages/refusal.css
var refusalCSS string

// page is what a person reads who was not let in.
type page struct {
	Title string
	Text  string
	Tone  string // "calm", "warn" or "bad": the colour of the mark
	// Where the person goes from here. Empty: no button.
	Back      string
	BackLabel string
	// Whether trying again helps.
	Retry bool
}

// pageStyle is every style of the page, in one element that the page's policy
// names by its hash; nothing else is allowed to load or run.
var (
	pageStyle    = sdkinject.TokensCSS() + refusalCSS
	pagePolicy   = policyFor(pageStyle)
	pageTemplate = template.Must(template.New("refusal").Parse(refusalHTML))
)

func policyFor(style string) string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors *"
}

// writePage answers with a page of the gate's own.
func writePage(w http.ResponseWriter, r *http.Request, status int, p page) error {
	var body bytes.Buffer
	err := pageTemplate.Execute(&body, struct {
		page
		Style template.CSS
	}{p, template.CSS(pageStyle)})
	if err != nil {
		return fmt.Errorf("writing the gate's page: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err = w.Write(body.Bytes())
	return err
}

// pageOf is the page for a refusal; back is where its button leads, or "".
func pageOf(code protocol.Code, back string) page {
	p := page{Back: back, BackLabel: "Back to the marketplace", Tone: "calm"}
	switch code {
	case protocol.SessionMissing:
		p.Title, p.BackLabel = "This app is opened with a session", "Go to the marketplace"
		p.Text = "Choose a session in the marketplace where you found this app. It will bring you here and start your time."
	case protocol.SessionInvalid:
		p.Title, p.Tone = "This session is not recognised", "warn"
		p.Text = "What your browser holds is no session of this app. Open the app again from the marketplace."
	case protocol.SessionExpired:
		p.Title = "Your time is up"
		p.Text = "Your session has ended. The marketplace has your receipt, and you can start another session there."
	case protocol.SessionCompleted:
		p.Title = "Your session has ended"
		p.Text = "It was closed before its time ran out. The marketplace has your receipt."
	case protocol.SessionRevoked:
		p.Title, p.Tone = "Your session was ended", "warn"
		p.Text = "The marketplace ended this session. Your receipt there says what was charged and what was given back."
	case protocol.SessionCanceled:
		p.Title = "This session was never started"
		p.Text = "It was not opened in time and has been canceled. Its tokens are back in your balance."
	case protocol.SessionPaused:
		p.Title = "Your session is paused"
		p.Text = "Its clock stands still. Open this page again to go on."
		p.Retry = true
	case protocol.SessionPending:
		p.Title = "Your session has not started yet"
		p.Text = "Open it through its link in the marketplace."
	case protocol.LaunchSpent:
		p.Title, p.Tone = "Already open elsewhere", "warn"
		p.Text = "This session was opened in another browser or window. Go on there: a session belongs to one browser. If that was not you, end it in the marketplace."
	case protocol.LaunchInvalid:
		p.Title, p.Tone = "This link does not open the app", "bad"
		p.Text = "It is incomplete or was changed on the way. Open the app again from the marketplace."
	case protocol.LaunchExpired:
		p.Title, p.Tone = "This link is too old", "warn"
		p.Text = "The session that it belongs to has ended. You can start another one in the marketplace."
	case protocol.WrongProvider:
		p.Title, p.Tone = "This session is for another app", "warn"
		p.Text = "Go back to the marketplace and open the session from there."
	case protocol.HostUnknown:
		p.Title, p.Tone = "No app is served here", "bad"
		p.Text = "This address belongs to no app that we know. Check how it is spelt."
	case protocol.OriginUnavailable:
		p.Title, p.Tone, p.Retry = "The app is not answering", "bad", true
		p.Text = "You have a session, but the app itself cannot be reached just now. Try again in a moment; if it goes on, tell the marketplace."
	case protocol.BackendUnavailable:
		p.Title, p.Tone, p.Retry = "One moment, please", "warn", true
		p.Text = "Your session cannot be checked just now. Nothing is lost; try again in a few seconds."
	default:
		p.Title, p.Tone = "You cannot be let in", "bad"
		p.Text = "Open the app again from the marketplace."
	}
	return p
}

// detailOf says in a problem document what the page says to a person.
func detailOf(code protocol.Code) string {
	switch code {
	case protocol.CrossSite:
		return "Only pages of this site may call this."
	case protocol.SessionMissing:
		return "The request carries no session. Open the app through a launch link of the marketplace."
	}
	p := pageOf(code, "")
	return p.Title + ". " + p.Text
}
