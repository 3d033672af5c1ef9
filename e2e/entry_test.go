package e2e_test

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

var agreeTo = regexp.MustCompile(`name="to" value="([^"]*)"`)

// agree presses the button of the page that asks.
func (s *System) agree(t *testing.T, b *Client, asked *Answer, headers ...string) *Answer {
	t.Helper()
	return agreeAt(t, b, s.App, asked, headers...)
}

// agreeAt does the same at an app of any address.
func agreeAt(t *testing.T, b *Client, app string, asked *Answer, headers ...string) *Answer {
	t.Helper()
	to := agreeTo.FindSubmatch(asked.Body)
	if to == nil {
		t.Fatalf("the page has no form: %d %s", asked.Status, asked.Body)
	}
	return b.Do(t, "POST", app+"/.session-gate/enter", url.Values{"to": {strings.ReplaceAll(string(to[1]), "&amp;", "&")}}.Encode(),
		append([]string{"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin"}, headers...)...)
}

// shown returns the id of the session that a browser is in.
func (s *System) shown(t *testing.T, b *Client) string {
	t.Helper()
	a := page(b, t, "GET", s.App+"/.session-gate/session", nil)
	if a.Status != http.StatusOK {
		return a.Code()
	}
	var out struct {
		Session session `json:"session"`
	}
	a.JSON(t, &out)
	return out.Session.ID
}

// A link of somebody else's, opened in a browser with a live session, asks. Nothing happens
// to either session before the person agrees, and both live afterwards.
func TestLinkOfAnotherAsksFirst(t *testing.T) {
	t.Parallel()
	s := Start(t)
	mine := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 600, Tokens: 10})
	theirs := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 600, Tokens: 10, Clock: "launch"})
	b := s.enter(t, mine.LaunchURL)
	for range 2 { // a reload asks again
		asked := b.Do(t, "GET", strings.Replace(theirs.LaunchURL, "/?", "/a?x=1&", 1), nil, "Sec-Fetch-Site", "cross-site")
		if asked.Status != http.StatusConflict || len(asked.Header["Set-Cookie"]) > 0 || !bytes.Contains(asked.Body, []byte(`href="/a?x=1"`)) {
			t.Fatalf("asked with %d, cookies %q: %s", asked.Status, asked.Header["Set-Cookie"], asked.Body)
		}
		if refused := s.agree(t, b, asked, "Sec-Fetch-Site", "cross-site"); refused.Status != http.StatusForbidden {
			t.Fatalf("another site agreed: %d", refused.Status)
		}
		if got := s.shown(t, b); got != mine.Session.ID {
			t.Fatalf("unasked, the browser is in %s", got)
		}
		if got := s.read(t, theirs.Session.ID).Status; got != "pending" {
			t.Fatalf("unasked, the other link is redeemed: %s", got)
		}
		if asked.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("Cache-Control is %q", asked.Header.Get("Cache-Control"))
		}
	}
	// Stay: the browser goes on with its own session, whose link it may open again.
	if a := b.Do(t, "GET", mine.LaunchURL, nil); a.Status != http.StatusSeeOther {
		t.Errorf("its own link: %d", a.Status)
	}
	asked := b.Do(t, "GET", strings.Replace(theirs.LaunchURL, "/?", "/a?x=1&", 1), nil)
	agreed := s.agree(t, b, asked)
	if agreed.Status != http.StatusSeeOther || agreed.Header.Get("Location") != "/a?x=1" || s.shown(t, b) != theirs.Session.ID {
		t.Fatalf("agreed: %d to %q, in %s", agreed.Status, agreed.Header.Get("Location"), s.shown(t, b))
	}
	// Back to the first by its link, which asks as well, and is not spent in this browser.
	if back := s.agree(t, b, b.Do(t, "GET", mine.LaunchURL, nil)); back.Status != http.StatusSeeOther || s.shown(t, b) != mine.Session.ID {
		t.Errorf("back: %d, in %s", back.Status, s.shown(t, b))
	}
	for _, one := range []sale{mine, theirs} {
		if got := s.read(t, one.Session.ID).Status; got != "active" {
			t.Errorf("a session is %s", got)
		}
	}
}

// A user who has lost the browser, or its cookie, opens the session anew by the marketplace.
// The old browser is out at once, with what it had open, and the time runs on.
func TestRelaunchOpensAnotherBrowser(t *testing.T) {
	t.Parallel()
	s := Start(t)
	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 600, Tokens: 10})
	old := s.enter(t, sold.LaunchURL)
	before := s.read(t, sold.Session.ID)
	stream := old.Open(t, "GET", s.App+"/live/feed", nil, "Accept", "text/event-stream", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty")
	defer stream.Body.Close()

	a := Caller(s.MarketplaceKey).Do(t, "POST", s.API+"/api/v1/sessions/"+sold.Session.ID+"/relaunch", nil)
	if a.Status != http.StatusOK {
		t.Fatalf("relaunching: %d %s", a.Status, a.Body)
	}
	var again sale
	a.JSON(t, &again)
	if again.LaunchURL == sold.LaunchURL || again.Session.ID != sold.Session.ID {
		t.Fatalf("relaunched as %s", again.Session.ID)
	}
	eventually(t, func() bool { return s.shown(t, old) == "session_moved" }, func() string { return "the old browser is in " + s.shown(t, old) })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for buf := make([]byte, 4096); ; {
			if _, err := stream.Body.Read(buf); err != nil {
				return
			}
		}
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the old browser's stream goes on")
	}
	visit := old.Do(t, "GET", s.App+"/", nil)
	if visit.Status != http.StatusUnauthorized || !bytes.Contains(visit.Body, []byte("opened elsewhere")) {
		t.Errorf("the old browser sees %d %.300s", visit.Status, visit.Body)
	}
	if again := Browser(t).Do(t, "GET", sold.LaunchURL, nil); again.Status != http.StatusConflict {
		t.Errorf("the old link: %d", again.Status)
	}
	b := s.enter(t, again.LaunchURL)
	if got := s.shown(t, b); got != sold.Session.ID {
		t.Errorf("the new browser is in %s", got)
	}
	// A second click counts as one of the same browser until that one is in.
	if a := b.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
		t.Errorf("the app in the new browser: %d", a.Status)
	}
	if again := Browser(t).Do(t, "GET", again.LaunchURL, nil); again.Status != http.StatusConflict {
		t.Errorf("the new link, once more: %d", again.Status)
	}
	if after := s.read(t, sold.Session.ID); after.ExpiresAt != before.ExpiresAt {
		t.Errorf("the deadline moved from %d to %d", before.ExpiresAt, after.ExpiresAt)
	}

	// The next link opens in the browser that has the session already: it is not taken for
	// the link of before.
	Caller(s.MarketplaceKey).Do(t, "POST", s.API+"/api/v1/sessions/"+sold.Session.ID+"/relaunch", nil, "Idempotency-Key", "next").JSON(t, &again)
	if a := b.Do(t, "GET", again.LaunchURL, nil); a.Status != http.StatusSeeOther || s.shown(t, b) != sold.Session.ID {
		t.Errorf("the next link in the same browser: %d, in %s", a.Status, s.shown(t, b))
	}
}

// A launch link that was opened at the edge spends, reads and ends nothing at the API.
func TestRedeemedLinkIsNoMoney(t *testing.T) {
	t.Parallel()
	s := Start(t)
	user := s.newUser(t, 500)
	sold := s.buy(t, terms{User: user, Seconds: 600, Tokens: 100, Extension: map[string]any{"additional_seconds": 60, "tokens": 50, "max_count": 3}})
	b := s.enter(t, sold.LaunchURL)
	thief := Caller(sold.Token)
	for path, body := range map[string]any{
		sold.Session.ID + "/extend": map[string]any{}, sold.Session.ID + "/pause": nil, sold.Session.ID + "/end": nil,
		sold.Session.ID + "/launch": nil, "validate": map[string]any{"jti": sold.Session.ID},
	} {
		a := thief.Do(t, "POST", s.API+"/api/v1/sessions/"+path, body, "Origin", "https://evil.example")
		if (a.Status != http.StatusConflict && a.Status != http.StatusUnauthorized) || a.Code() != "launch_spent" || bytes.Contains(a.Body, []byte(user)) {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
	if got := s.balance(t, user); got != (balance{400, 100}) {
		t.Errorf("the balance is %+v", got)
	}
	if got := s.shown(t, b); got != sold.Session.ID {
		t.Errorf("the user is in %s", got)
	}
}
