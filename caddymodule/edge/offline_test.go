package edge

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// refusing is an edge whose backend refuses every launch for a code, and a
// session that entered there while the backend was down.
func refusing(t *testing.T, status int, code protocol.Code) (e *Edge, cookie string, entry *offlineEntry) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", protocol.ProblemType)
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"code":%q,"status":%d,"title":"x"}`, code, status)
	}))
	t.Cleanup(server.Close)
	e = edgeOf(t, server.URL)
	cookie, no := admit(e, "s1", OfflineLimits{Time: time.Hour, Sessions: 10})
	if no != "" || e.Sessions.ByToken(cookie).Refusal() != "" {
		t.Fatal("the session was not admitted")
	}
	return e, cookie, e.Offline.list()["s1"]
}

// admit enters a session of an hour while the backend is down.
func admit(e *Edge, id string, limits OfflineLimits) (cookie string, refused protocol.Code) {
	return e.Offline.Admit(&protocol.LaunchRequest{Token: "t", RedemptionID: "r"}, claimsFor(id, time.Hour), limits)
}

func claimsFor(id string, left time.Duration) *token.Claims {
	now := time.Now()
	return &token.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			ID: id, Subject: "u", IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(left)),
		},
		ProviderID: "p",
	}
}

// Two edges admit one link while the backend is down; the other one redeems it
// first, and its news come before the refusal.
func TestLinkThatWasUsedElsewhereEndsHere(t *testing.T) {
	t.Parallel()
	for _, heard := range []bool{false, true} {
		e, cookie, entry := refusing(t, http.StatusConflict, protocol.LaunchSpent)
		if heard {
			told(t, e, stateOf("s1", 1, protocol.Active, time.Hour))
		}
		cut := false
		e.Sessions.ByID("s1").Register(&live.Registration{Cutter: cutterFunc(func() { cut = true })})
		if err := e.Offline.redeem(t.Context(), "s1", entry); err == nil {
			t.Fatal("the launch was redeemed")
		}
		if e.Sessions.ByToken(cookie) != nil || !cut {
			t.Errorf("heard of the other edge %t: the cookie still opens the session, its request ended %t", heard, cut)
		}
		// Whoever owns the session is not shut out by it.
		if s := e.Sessions.Put(stateOf("s1", 1, protocol.Active, time.Hour), 1); s.Refusal() != "" {
			t.Errorf("heard of the other edge %t: the session itself is refused: %s", heard, s.Refusal())
		}
	}
}

func TestRefusedLaunchEndsWithItsReason(t *testing.T) {
	t.Parallel()
	e, cookie, entry := refusing(t, http.StatusUnauthorized, protocol.SessionCompleted)
	if err := e.Offline.redeem(t.Context(), "s1", entry); err == nil {
		t.Fatal("the launch was redeemed")
	}
	if s := e.Sessions.ByToken(cookie); s == nil || s.Refusal() != protocol.SessionCompleted {
		t.Error("the session does not end as the backend says")
	}
	if len(e.Offline.list()) != 0 {
		t.Error("a launch that was refused is redeemed again")
	}
}

// An edge key that is refused for a moment is the edge's trouble.
func TestRefusedEdgeEndsNoSession(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]protocol.Code{
		http.StatusUnauthorized: protocol.Unauthorized, http.StatusForbidden: protocol.Forbidden, http.StatusTooManyRequests: protocol.RateLimited,
	} {
		e, cookie, entry := refusing(t, status, code)
		if err := e.Offline.redeem(t.Context(), "s1", entry); err == nil {
			t.Fatal("the launch was redeemed")
		}
		if s := e.Sessions.ByToken(cookie); s == nil || s.Refusal() != "" || len(e.Offline.list()) != 1 {
			t.Errorf("%s ended the session", code)
		}
	}
}
