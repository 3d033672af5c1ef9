package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// secondEdge starts another edge for the provider, and returns its address.
func (s *Split) secondEdge(t *testing.T) string {
	t.Helper()
	port := freePorts(t)
	app := fmt.Sprintf("http://127.0.0.1:%d", port)
	config := strings.NewReplacer(s.App+" {", app+" {", "admin "+s.admin, "admin "+net.JoinHostPort("127.0.0.1", strconv.Itoa(port+1))).Replace(s.caddyfile(""))
	waitFor(t, app+"/.session-gate/boot.js", s.anotherEdge(t, config))
	return app
}

// answersWith waits until a request to the app is answered with a status.
func answersWith(t *testing.T, b *Client, app string, status int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		a := b.Do(t, "GET", app+"/", nil, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "application/json")
		if a.Status == status {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s answers %d %s, want %d", app, a.Status, a.Body, status)
		}
	}
}

// statistics is what a provider sees of its live sessions, without the time of the count.
func (s *Split) statistics(t *testing.T) string {
	t.Helper()
	var stats struct {
		Live, Today, Total map[string]int64
	}
	Caller(s.AdminKey).Do(t, "GET", s.API+"/api/v1/providers/"+s.ProviderID+"/stats", nil).JSON(t, &stats)
	return fmt.Sprint(stats)
}

// TestTestModeThroughTheEdge buys with a test key, enters through an edge, moves the
// clock to the warning and to the end, and leaves the live figures as they were.
func TestTestModeThroughTheEdge(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	before := s.statistics(t)
	out, err := s.command(t, "apikey", "create", "--role", "marketplace", "--test").Output()
	if err != nil {
		t.Fatal(err)
	}
	key := strings.TrimSpace(string(out))
	if !strings.HasPrefix(key, "sg_mkt_test_") {
		t.Fatalf("the key begins with %.12s", key)
	}
	live := *s.System
	s.System = &live
	s.MarketplaceKey = key
	user := s.newUser(t, 100)
	sold := s.buy(t, terms{User: user, Seconds: 600, Tokens: 60, Clock: "launch"})
	b := s.enter(t, sold.LaunchURL)
	if a := b.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
		t.Fatalf("the app answers %d", a.Status)
	}
	advance := func(seconds int) (got struct {
		Session struct {
			Status, Mode string
			ExpiresAt    int64 `json:"expires_at"`
			Settlement   *struct{ Captured int64 }
		}
	}) {
		t.Helper()
		a := Caller(key).Do(t, "POST", s.API+"/api/v1/sessions/"+sold.Session.ID+"/advance", map[string]any{"seconds": seconds})
		if a.Status != http.StatusOK {
			t.Fatalf("advancing: %d %s", a.Status, a.Body)
		}
		a.JSON(t, &got)
		return got
	}
	warned := advance(301) // the clock warns at 300 s
	if warned.Session.Status != "active" || warned.Session.Mode != "test" {
		t.Errorf("at the warning the session is %+v", warned)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		var shown struct {
			Session struct {
				Mode      string
				ExpiresAt int64 `json:"expires_at"`
			}
		}
		b.Do(t, "GET", s.App+"/.session-gate/session", nil, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin").JSON(t, &shown)
		if shown.Session.ExpiresAt == warned.Session.ExpiresAt && shown.Session.Mode == "test" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the edge shows %+v", shown)
		}
	}
	timeline := string(Caller(key).Do(t, "GET", s.API+"/api/v1/sessions/"+sold.Session.ID+"/timeline", nil).Body)
	if !strings.Contains(timeline, `"name":"warning"`) || !strings.Contains(timeline, `"name":"advanced"`) {
		t.Errorf("the timeline is %s", timeline)
	}
	if ended := advance(10_000); ended.Session.Status != "expired" || ended.Session.Settlement == nil || ended.Session.Settlement.Captured != 60 {
		t.Errorf("at the end the session is %+v", ended)
	}
	answersWith(t, b, s.App, http.StatusUnauthorized)
	if after := s.statistics(t); after != before {
		t.Errorf("the live figures were %s and are %s", before, after)
	}
}

// TestPassesThroughTwoEdges enters with a staff and a preview pass at two edges, and ends
// the sessions of both by revoking the passes.
func TestPassesThroughTwoEdges(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	before := s.statistics(t)
	edges := []string{s.App, s.secondEdge(t)}
	passes := s.API + "/api/v1/providers/" + s.ProviderID + "/passes"
	type entered struct {
		b   *Client
		app string
	}
	made := map[string][]entered{}
	for _, kind := range []string{"staff", "preview"} {
		var pass struct{ ID, URL string }
		a := Caller(s.AdminKey).Do(t, "POST", passes, map[string]any{"kind": kind, "label": "QA"})
		if a.Status != http.StatusCreated {
			t.Fatalf("making a pass: %d %s", a.Status, a.Body)
		}
		a.JSON(t, &pass)
		page, secret, _ := strings.Cut(pass.URL, "#")
		if shown := Browser(t).Do(t, "GET", page, nil); shown.Status != http.StatusOK || !strings.Contains(string(shown.Body), "Open the app") {
			t.Errorf("the page of a pass: %d", shown.Status)
		}
		for _, app := range edges {
			b := Browser(t)
			opened := b.Do(t, "POST", page, url.Values{"pass": {secret}}.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
			link := opened.Header.Get("Location")
			if opened.Status != http.StatusSeeOther || !strings.HasPrefix(link, s.App+"/") {
				t.Fatalf("opening a pass: %d to another place", opened.Status)
			}
			b = s.enter(t, app+strings.TrimPrefix(link, s.App))
			a := b.Do(t, "GET", app+"/.session-gate/session", nil, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin")
			var shown struct {
				Session struct {
					Mode   string
					Limit  int64 `json:"duration_limit_seconds"`
					Tokens int64 `json:"tokens_allocated"`
				}
			}
			a.JSON(t, &shown)
			if want := map[string]int64{"staff": 12 * 3600, "preview": 120}[kind]; shown.Session.Mode != kind || shown.Session.Limit != want || shown.Session.Tokens != 0 {
				t.Errorf("the page sees %s", a.Body)
			}
			made[pass.ID] = append(made[pass.ID], entered{b, app})
		}
	}
	for id, list := range made {
		for _, e := range list {
			if a := e.b.Do(t, "GET", e.app+"/", nil); a.Status != http.StatusOK {
				t.Errorf("before the revocation: %d", a.Status)
			}
		}
		if a := Caller(s.AdminKey).Do(t, "DELETE", passes+"/"+id, nil); a.Status != http.StatusNoContent {
			t.Fatalf("revoking: %d %s", a.Status, a.Body)
		}
		for _, e := range list {
			answersWith(t, e.b, e.app, http.StatusUnauthorized)
		}
	}
	if after := s.statistics(t); after != before {
		t.Errorf("the live figures were %s and are %s", before, after)
	}
}
