package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// session is what the API says of a session, as far as the tests look.
type session struct {
	ID              string `json:"id"`
	Status          string `json:"status"`
	ExpiresAt       int64  `json:"expires_at"`
	TokensAllocated int64  `json:"tokens_allocated"`
	Settlement      *struct {
		Captured int64 `json:"captured"`
		Released int64 `json:"released"`
	} `json:"settlement"`
}

// sale is a created session.
type sale struct {
	Session   session `json:"session"`
	Token     string  `json:"token"`
	LaunchURL string  `json:"launch_url"`
}

// terms are what a test buys.
type terms struct {
	User      string
	Seconds   int64
	Tokens    int64
	Extension any
	Clock     string // when the paid time starts: "launch" or, by default, "creation"
}

var users atomic.Int64

// newUser credits a user of the test's own.
func (s *System) newUser(t testing.TB, amount int64) string {
	t.Helper()
	user := fmt.Sprintf("user-%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), users.Add(1))
	a := Caller(s.MarketplaceKey).Do(t, "POST", s.API+"/api/v1/users/"+user+"/tokens", map[string]any{"amount": amount})
	if a.Status/100 != 2 {
		t.Fatalf("crediting: %d %s", a.Status, a.Body)
	}
	return user
}

// buy creates a session through the API, as a marketplace does.
func (s *System) buy(t testing.TB, w terms) sale {
	t.Helper()
	body := map[string]any{
		"user_id": w.User, "provider_id": s.ProviderID, "tokens_allocated": w.Tokens,
		"duration_limit_seconds": w.Seconds, "return_url": s.Marketplace + "/session/complete",
	}
	if w.Extension != nil {
		body["extension"] = w.Extension
	}
	if w.Clock != "" {
		body["clock"] = w.Clock
	}
	a := Caller(s.MarketplaceKey).Do(t, "POST", s.API+"/api/v1/sessions", body)
	if a.Status != http.StatusCreated {
		t.Fatalf("buying: %d %s", a.Status, a.Body)
	}
	var out sale
	a.JSON(t, &out)
	return out
}

// enter opens a launch link in a fresh browser and returns it, let in.
func (s *System) enter(t testing.TB, link string) *Client {
	t.Helper()
	b := Browser(t)
	a := b.Do(t, "GET", link, nil)
	if a.Status != http.StatusSeeOther {
		t.Fatalf("entering: %d %s", a.Status, a.Body)
	}
	if loc := a.Header.Get("Location"); strings.Contains(loc, "eyJ") {
		t.Fatalf("the entry leads to %s, token and all", loc)
	}
	return b
}

func (s *System) read(t testing.TB, id string) session {
	t.Helper()
	a := Caller(s.MarketplaceKey).Do(t, "GET", s.API+"/api/v1/sessions/"+id, nil)
	var out session
	a.JSON(t, &out)
	return out
}

type balance struct {
	Available int64 `json:"available"`
	Held      int64 `json:"held"`
}

func (s *System) balance(t testing.TB, user string) (b balance) {
	t.Helper()
	Caller(s.MarketplaceKey).Do(t, "GET", s.API+"/api/v1/users/"+user+"/balance", nil).JSON(t, &b)
	return b
}

// page calls the gate's own API as a page of the app does.
func page(b *Client, t testing.TB, method, url string, body any, headers ...string) *Answer {
	t.Helper()
	return b.Do(t, method, url, body, append([]string{
		"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin", "Accept", "*/*", "Upgrade-Insecure-Requests", "",
	}, headers...)...)
}

// TestEightSeconds is the main job: a session of 8 s is entered, seen, cut and
// settled to the token. Its clock starts at the entry, so that a slow machine has
// all of them for what happens inside.
func TestEightSeconds(t *testing.T) {
	t.Parallel()
	s := Start(t)
	user := s.newUser(t, 100)
	sold := s.buy(t, terms{User: user, Seconds: s.fewByLink(t, 8), Tokens: 30, Clock: "launch"})
	if got := s.balance(t, user); got != (balance{70, 30}) {
		t.Errorf("after buying: %+v, want 70 available and 30 held", got)
	}
	b := s.enter(t, sold.LaunchURL)

	home := b.Do(t, "GET", s.App+"/", nil)
	if home.Status != http.StatusOK || home.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("the app answered %d, %s", home.Status, home.Header)
	}
	if html := string(home.Body); strings.Count(html, "/.session-gate/boot.") != 1 {
		t.Errorf("the page carries no clock:\n%.300s", html)
	}

	var live struct {
		Session      session `json:"session"`
		ServerTimeMS int64   `json:"server_time_ms"`
	}
	page(b, t, "GET", s.App+"/.session-gate/session", nil).JSON(t, &live)
	if deadline := s.deadlineOf(t, sold.Session.ID).Unix(); live.Session.ID != sold.Session.ID || live.Session.Status != "active" || live.Session.ExpiresAt != deadline {
		t.Errorf("the page is told %+v, the marketplace of the deadline %d", live, deadline)
	}
	beat := page(b, t, "POST", s.App+"/.session-gate/heartbeat", map[string]any{"active": true})
	if beat.Status != http.StatusOK || !bytes.Contains(beat.Body, []byte(`"acknowledged":true`)) {
		t.Errorf("heartbeat: %d %s", beat.Status, beat.Body)
	}

	// Nobody is cut off early; nobody stays on.
	deadline := time.Unix(live.Session.ExpiresAt, 0)
	feed := b.Open(t, "GET", s.App+"/live/feed", nil, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "text/event-stream")
	_, err := io.Copy(io.Discard, feed.Body)
	feed.Body.Close()
	ended := time.Now()
	if err == nil {
		t.Error("the feed ended as if it were complete")
	}
	onTime(t, deadline, deadline, ended)
	if a := b.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusSeeOther ||
		a.Header.Get("Location") != s.Marketplace+"/session/complete?session_id="+sold.Session.ID {
		t.Errorf("after the end: %d to %s", a.Status, a.Header.Get("Location"))
	}
	if a := page(b, t, "GET", s.App+"/status.json", nil); a.Status != http.StatusUnauthorized || a.Code() != "session_expired" {
		t.Errorf("a fetch after the end: %d %s", a.Status, a.Body)
	}

	done := s.settled(t, sold.Session.ID)
	if done.Status != "expired" || done.Settlement.Captured != 30 || done.Settlement.Released != 0 {
		t.Errorf("settled as %+v %+v", done, done.Settlement)
	}
	if got := s.balance(t, user); got != (balance{70, 0}) {
		t.Errorf("after settlement: %+v, want 70 available and nothing held", got)
	}
}

// settled waits for a session's settlement.
func (s *System) settled(t testing.TB, id string) (got session) {
	t.Helper()
	eventually(t, func() bool { got = s.read(t, id); return got.Settlement != nil },
		func() string { return fmt.Sprintf("session %s is settled: %+v", id, got) })
	return got
}

func TestExtendOnceThenEnd(t *testing.T) {
	t.Parallel()
	s := Start(t)
	user := s.newUser(t, 100)
	sold := s.buy(t, terms{User: user, Seconds: 300, Tokens: 30,
		Extension: map[string]any{"additional_seconds": 30, "tokens": 15, "max_count": 1}})
	b := s.enter(t, sold.LaunchURL)

	extend := func(key string) *Answer {
		return page(b, t, "POST", s.App+"/.session-gate/extend",
			map[string]any{"additional_seconds": 30, "tokens_to_deduct": 15}, "Idempotency-Key", key)
	}
	var live struct {
		Session session `json:"session"`
	}
	for range 2 { // the same purchase, sent twice
		a := extend("one-purchase")
		if a.Status != http.StatusOK {
			t.Fatalf("extending: %d %s", a.Status, a.Body)
		}
		a.JSON(t, &live)
		if got, want := live.Session.ExpiresAt, sold.Session.ExpiresAt+30; got != want {
			t.Errorf("extended to %d, want %d", got, want)
		}
	}
	if got := s.balance(t, user); got != (balance{55, 45}) {
		t.Errorf("after one extension: %+v", got)
	}
	a := extend("another-purchase")
	if a.Status != http.StatusForbidden || a.Code() != "consent_required" || !bytes.Contains(a.Body, []byte("consent_url")) {
		t.Errorf("a second extension: %d %s", a.Status, a.Body)
	}

	a = page(b, t, "POST", s.App+"/.session-gate/end", map[string]any{})
	if a.Status != http.StatusOK || !bytes.Contains(a.Body, []byte(`"completed"`)) {
		t.Fatalf("ending: %d %s", a.Status, a.Body)
	}
	if a := page(b, t, "GET", s.App+"/.session-gate/session", nil); a.Status != http.StatusUnauthorized || a.Code() != "session_completed" {
		t.Errorf("after the end: %d %s", a.Status, a.Body)
	}
	done := s.settled(t, sold.Session.ID)
	if done.Status != "completed" || done.Settlement.Captured != 45 {
		t.Errorf("settled as %+v %+v", done, done.Settlement)
	}
	if got := s.balance(t, user); got != (balance{55, 0}) {
		t.Errorf("after settlement: %+v", got)
	}
	// Completing what is complete answers the same.
	a = Caller(s.MarketplaceKey).Do(t, "POST", s.API+"/api/v1/sessions/"+sold.Session.ID+"/complete", map[string]any{})
	if a.Status != http.StatusOK || !bytes.Contains(a.Body, []byte(`"captured":45`)) {
		t.Errorf("completing again: %d %s", a.Status, a.Body)
	}
}

func TestRevocationReachesOpenConnections(t *testing.T) {
	t.Parallel()
	s := Start(t)
	user := s.newUser(t, 100)
	sold := s.buy(t, terms{User: user, Seconds: 600, Tokens: 40})
	b := s.enter(t, sold.LaunchURL)
	feed := b.Open(t, "GET", s.App+"/live/feed", nil, "Accept", "text/event-stream", "Sec-Fetch-Mode", "cors")
	defer feed.Body.Close()

	asked := time.Now()
	a := Caller(s.AdminKey).Do(t, "POST", s.API+"/api/v1/sessions/"+sold.Session.ID+"/revoke",
		map[string]any{"refund": "full", "reason": "test"})
	revoked := time.Now()
	if a.Status != http.StatusOK {
		t.Fatalf("revoking: %d %s", a.Status, a.Body)
	}
	if _, err := io.Copy(io.Discard, feed.Body); err == nil {
		t.Error("the feed ended as if it were complete")
	}
	onTime(t, asked, revoked, time.Now())
	if a := page(b, t, "GET", s.App+"/status.json", nil); a.Code() != "session_revoked" {
		t.Errorf("after revocation: %d %s", a.Status, a.Body)
	}
	if got := s.balance(t, user); got != (balance{100, 0}) {
		t.Errorf("after a full refund: %+v", got)
	}
}

func TestOtherBrowserIsTurnedAway(t *testing.T) {
	t.Parallel()
	s := Start(t)
	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10})
	b := s.enter(t, sold.LaunchURL)
	// The same browser may open its link again.
	if a := b.Do(t, "GET", sold.LaunchURL, nil); a.Status != http.StatusSeeOther {
		t.Errorf("the link again, in the same browser: %d", a.Status)
	}
	a := Browser(t).Do(t, "GET", sold.LaunchURL, nil)
	if a.Status != http.StatusConflict || !bytes.Contains(a.Body, []byte("Already open elsewhere")) {
		t.Errorf("the link in another browser: %d %.200s", a.Status, a.Body)
	}
	if len(a.Header["Set-Cookie"]) != 0 {
		t.Error("the other browser got a cookie")
	}
}

// TestDoubleClickEnters opens a link twice in a browser that throws the first
// answer away, as browsers do when a link is clicked twice. Once somebody is in,
// the link opens nothing any more.
func TestDoubleClickEnters(t *testing.T) {
	t.Parallel()
	s := Start(t)
	for !s.doubleClick(t) {
		t.Log("it took too long; once more")
	}
}

// doubleClick reports whether it was quick enough: the first client may repeat
// its entry for 10 s.
func (s *System) doubleClick(t *testing.T) bool {
	t.Helper()
	began := time.Now()
	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10})
	agent := []string{"User-Agent", "Mozilla/5.0 (double click)"}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if a := Browser(t).Do(t, "GET", sold.LaunchURL, nil, agent...); a.Status != http.StatusSeeOther {
				t.Errorf("one of two requests at once: %d %.200s", a.Status, a.Body)
			}
		})
	}
	both.Wait()
	if a := Browser(t).Do(t, "GET", sold.LaunchURL, nil, "User-Agent", "another"); a.Status != http.StatusConflict {
		t.Errorf("the link in another browser: %d", a.Status)
	}
	b := Browser(t)
	a := b.Do(t, "GET", sold.LaunchURL, nil, agent...)
	if a.Status == http.StatusConflict && time.Since(began) > 10*time.Second {
		return false
	}
	if a.Status != http.StatusSeeOther {
		t.Errorf("the link once more, before anybody is in: %d", a.Status)
	}
	if a := page(b, t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
		t.Errorf("the app: %d", a.Status)
	}
	if a := Browser(t).Do(t, "GET", sold.LaunchURL, nil, agent...); a.Status != http.StatusConflict {
		t.Errorf("the link, once somebody is in: %d", a.Status)
	}
	return true
}

func TestIdentityReachesTheOriginAndCookiesDoNot(t *testing.T) {
	t.Parallel()
	s := Start(t)
	user := s.newUser(t, 100)
	sold := s.buy(t, terms{User: user, Seconds: 300, Tokens: 10})
	b := s.enter(t, sold.LaunchURL)
	a := page(b, t, "GET", s.App+"/whoami", nil, "Session-Gate-User", "root", "Session-Gate-Assertion", "forged", "Referer", sold.LaunchURL)
	seen := string(a.Body)
	for _, want := range []string{user, sold.Session.ID, s.ProviderID} {
		if !strings.Contains(seen, want) {
			t.Errorf("the origin does not see %s:\n%s", want, seen)
		}
	}
	for _, bad := range []string{"root", "forged", "session_gate=", "eyJ"} {
		if strings.Contains(seen, bad) {
			t.Errorf("the origin sees %q:\n%s", bad, seen)
		}
	}
}

func TestStateSurvivesARestart(t *testing.T) {
	t.Parallel()
	first := Start(t)
	user := first.newUser(t, 50)
	sold := first.buy(t, terms{User: user, Seconds: 3, Tokens: 20})
	first.stop(t)
	// The deadline passes while nothing runs; the next start settles.
	time.Sleep(time.Until(time.Unix(sold.Session.ExpiresAt, 0)))
	second := Start(t, "--data", first.Dir)
	done := second.settled(t, sold.Session.ID)
	if done.Status != "expired" || done.Settlement.Captured != 20 {
		t.Errorf("settled as %+v %+v", done, done.Settlement)
	}
	if got := second.balance(t, user); got != (balance{30, 0}) {
		t.Errorf("after settlement: %+v", got)
	}
}
