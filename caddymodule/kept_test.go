package caddymodule

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// withVars gives a request what Caddy's server gives it.
func withVars(r *http.Request) *http.Request {
	ctx := context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer())
	return r.WithContext(context.WithValue(ctx, caddyhttp.VarsCtxKey, map[string]any{}))
}

// setCookies are the cookies that an answer sets, by name, with their lifetime.
func setCookies(t *testing.T, h http.Header) (values map[string]string, seconds map[string]int64) {
	t.Helper()
	values, seconds = map[string]string{}, map[string]int64{}
	for _, line := range h["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		values[c.Name] = c.Value
		_, age, _ := strings.Cut(line, "Max-Age=")
		age, _, _ = strings.Cut(age, ";")
		if seconds[c.Name], err = strconv.ParseInt(age, 10, 64); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	return values, seconds
}

// A browser may hold several sessions of a site: a link that is opened later, or that
// somebody else sent, costs the user none of them.
func TestFurtherSessionKeepsTheOthers(t *testing.T) {
	t.Parallel()
	g := &Gate{Provider: "p", edge: testEdge(t), logger: zap.NewNop()}
	for id, status := range map[string]protocol.Status{
		"new": protocol.Active, "one": protocol.Active, "two": protocol.Paused, "three": protocol.Active, "over": protocol.Completed,
	} {
		g.edge.Sessions.BindToken(id, g.edge.Sessions.Put(state(id, 1, status, time.Hour), edge.MonotonicMS()))
	}
	for _, tt := range []struct{ cookies, kept string }{
		{"", "none"},
		{"session_gate=one", "one"},
		{"session_gate=over", "none"},
		{"session_gate=new", "none"},
		{"session_gate=one; session_gate_kept=two", "one~two"},
		{"session_gate=one; session_gate_kept=two~three", "one~two"}, // two at most, the latest first
		{"session_gate=one; session_gate_kept=one~over~three~unknown", "one~three"},
		{"session_gate=over; session_gate_kept=over", ""}, // the cookie is deleted
		{"session_gate=three; session_gate_kept=new", "three"},
	} {
		r := withVars(httptest.NewRequest(http.MethodGet, "http://app.example/", nil))
		if tt.cookies != "" {
			r.Header.Set("Cookie", tt.cookies)
		}
		h := http.Header{}
		g.switchTo(h, r, "p", "new", g.edge.Sessions.ByID("new"), 60)
		values, seconds := setCookies(t, h)
		kept, set := values["session_gate_kept"]
		if !set {
			kept = "none"
		}
		if values["session_gate"] != "new" || values["session_gate_cross"] != "new" || kept != tt.kept {
			t.Errorf("%q: %v, want %q kept", tt.cookies, values, tt.kept)
		}
		if age := seconds["session_gate_kept"]; set && (age > 0) != (kept != "") {
			t.Errorf("%q: the kept sessions live for %d s", tt.cookies, age)
		}
	}
}

// Once a session is over, its browser goes on with one that it has kept.
func TestVisitAfterTheEndContinuesInAKeptSession(t *testing.T) {
	t.Parallel()
	g := &Gate{Provider: "p", edge: testEdge(t), maxStaleness: time.Hour, logger: zap.NewNop(), OnExpired: &Answer{Redirect: true}}
	g.policy = policyOf(g)
	for id, status := range map[string]protocol.Status{"live": protocol.Active, "over": protocol.Completed, "gone": protocol.Revoked} {
		g.edge.Sessions.BindToken(id, g.edge.Sessions.Put(state(id, 1, status, time.Hour), edge.MonotonicMS()+1))
	}
	for _, tt := range []struct {
		name, cookies, dest, target string
		to                          string
	}{
		{"over", "session_gate=over; session_gate_kept=live", "document", "/a?b=1", "/a?b=1"},
		{"the cookie has expired", "session_gate_kept=live", "document", "/", "/"},
		{"all are over", "session_gate=over; session_gate_kept=gone", "document", "/", ""},
		{"forged", "session_gate=over; session_gate_kept=forged", "document", "/", ""},
		{"a frame", "session_gate=over; session_gate_kept=live", "iframe", "/", ""},
		{"a script's request", "session_gate=over; session_gate_kept=live", "empty", "/", ""},
		{"nothing kept", "session_gate=over", "document", "/", ""},
	} {
		r := withVars(httptest.NewRequest(http.MethodGet, "http://app.example"+tt.target, nil))
		r.Header.Set("Cookie", tt.cookies)
		r.Header.Set("Sec-Fetch-Dest", tt.dest)
		r.Header.Set("Sec-Fetch-Mode", map[bool]string{true: "cors", false: "navigate"}[tt.dest == "empty"])
		w := httptest.NewRecorder()
		if err := g.ServeHTTP(w, r, nil); err != nil {
			t.Fatal(err)
		}
		values, _ := setCookies(t, w.Header())
		if tt.to == "" {
			if w.Code != http.StatusUnauthorized || len(values) > 0 {
				t.Errorf("%s: %d, %v", tt.name, w.Code, values)
			}
			continue
		}
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != tt.to || values["session_gate"] != "live" {
			t.Errorf("%s: %d to %q with %v", tt.name, w.Code, w.Header().Get("Location"), values)
		}
	}
	// The page's own calls speak of the session that is over, so that it says so.
	r := withVars(httptest.NewRequest(http.MethodPost, "http://app.example"+protocol.GateSession, nil))
	r.Header.Set("Cookie", "session_gate=over; session_gate_kept=live")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	w := httptest.NewRecorder()
	if err := g.ServeHTTP(w, r, nil); err != nil || w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "session_completed") {
		t.Errorf("%d, %v: %s", w.Code, err, w.Body)
	}
}

// The cookie lives as long as the session can, so that it survives a restart of the
// browser, and is renewed when the session becomes longer.
func TestCookieLivesAsLongAsItsSession(t *testing.T) {
	t.Parallel()
	const now, day = 1_000_000, 24 * 60 * 60
	for name, tt := range map[string]struct {
		state protocol.LiveState
		want  int64
	}{
		"an hour":             {protocol.LiveState{Status: protocol.Active, ExpiresAt: now + 3600}, 3600 + day},
		"a month":             {protocol.LiveState{Status: protocol.Active, ExpiresAt: now + 31*day}, 32 * day},
		"a pause is possible": {protocol.LiveState{Status: protocol.Active, ExpiresAt: now + 60, Pause: &protocol.PauseRight{MaxSeconds: 600}}, 660 + day},
		"paused for long":     {protocol.LiveState{Status: protocol.Paused, ExpiresAt: now - 500, PausedAt: now - 600, Pause: &protocol.PauseRight{MaxSeconds: 86400}}, 100 + 86400 + day},
		"over":                {protocol.LiveState{Status: protocol.Expired, ExpiresAt: now - 5}, day},
		"years":               {protocol.LiveState{Status: protocol.Active, ExpiresAt: now + 1000*day}, 400 * day},
	} {
		if got := cookieSeconds(&tt.state, now); got != tt.want {
			t.Errorf("%s: %d s, want %d", name, got, tt.want)
		}
	}
	g := &Gate{Provider: "p", edge: testEdge(t), maxStaleness: time.Hour, logger: zap.NewNop()}
	g.policy = policyOf(g)
	s := g.edge.Sessions.Put(state("a", 1, protocol.Active, time.Hour), edge.MonotonicMS()+1)
	tok := fmt.Sprintf("e30.%s.AAAA", base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, s.ExpiresAt())))
	g.edge.Sessions.BindToken(tok, s)
	asked := func(method string) (map[string]string, map[string]int64) {
		t.Helper()
		r := withVars(httptest.NewRequest(method, "http://app.example"+protocol.GateSession, nil))
		r.Header.Set("Cookie", "session_gate="+tok)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		w := httptest.NewRecorder()
		if err := g.ServeHTTP(w, r, nil); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d, %v", method, w.Code, err)
		}
		return setCookies(t, w.Header())
	}
	if values, _ := asked(http.MethodPost); len(values) > 0 {
		t.Errorf("as long as at the entry, and renewed: %v", values)
	}
	for i, left := range []time.Duration{2 * time.Hour, 50 * time.Hour} {
		version := int64(i + 2)
		s.Apply(state("a", version, protocol.Active, left), edge.MonotonicMS()+version)
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			values, seconds := asked(method)
			want := s.ExpiresAt() - time.Now().Unix() + day
			if got := seconds["session_gate"]; values["session_gate"] != tok || got < want-60 || got > want+60 {
				t.Errorf("%s: %v for %d s, want about %d", method, values, got, want)
			}
		}
	}
}
