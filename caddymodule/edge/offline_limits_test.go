package edge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// Whoever holds links while the backend is down opens no more sessions than the limit.
func TestOfflineEntriesAreLimited(t *testing.T) {
	t.Parallel()
	e := aloneEdge(t)
	limits := OfflineLimits{Time: time.Hour, Sessions: 3}
	for i := range 10 {
		want := protocol.Code("")
		if i >= limits.Sessions {
			want = protocol.BackendUnavailable
		}
		if _, code := admit(e, fmt.Sprint("s", i), limits); code != want {
			t.Errorf("entry %d: %q, want %q", i, code, want)
		}
	}
	if got := testutil.ToFloat64(e.Metrics.offline[offlineTurnedAway]); got != 7 || e.Offline.len() != 3 {
		t.Errorf("%v turned away, %d wait", got, e.Offline.len())
	}
}

// A session that ended before the outage opens nothing, also one that was never served
// here.
func TestEndedSessionsOpenNothingOffline(t *testing.T) {
	t.Parallel()
	e := aloneEdge(t)
	limits := OfflineLimits{Time: time.Hour, Sessions: 10}
	for status, want := range map[protocol.Status]protocol.Code{
		protocol.Revoked: protocol.SessionRevoked, protocol.Completed: protocol.SessionCompleted,
		protocol.Expired: protocol.SessionExpired, protocol.Canceled: protocol.SessionCanceled, protocol.Active: "",
	} {
		id := "s-" + string(status)
		told(t, e, stateOf(id, 2, status, time.Hour))
		if cookie, code := admit(e, id, limits); code != want || (cookie == "") != (want != "") {
			t.Errorf("%s: %q, want %q", status, code, want)
		}
	}
}

// A new link to a session that is open here waits for the backend, which ends the old
// browser. It is not spent.
func TestNewLinkToAnOpenSessionWaitsForTheBackend(t *testing.T) {
	t.Parallel()
	limits := OfflineLimits{Time: time.Hour, Sessions: 10}
	open := map[string]func(e *Edge){
		"redeemed here":         func(e *Edge) { e.Sessions.Put(stateOf("s1", 2, protocol.Active, time.Hour), MonotonicMS()) },
		"entered while offline": func(e *Edge) { admit(e, "s1", limits) },
	}
	for name, open := range open {
		e := aloneEdge(t)
		open(e)
		for link, want := range []protocol.Code{protocol.LaunchSpent, protocol.BackendUnavailable} {
			claims := claimsFor("s1", time.Hour)
			claims.Relaunches = int64(link)
			if cookie, code := e.Offline.Admit(&protocol.LaunchRequest{Token: "t", RedemptionID: "r"}, claims, limits); code != want || cookie != "" {
				t.Errorf("%s: link %d: %q, want %q", name, link, code, want)
			}
		}
	}
}

// What is remembered of ended sessions has a bound, and it is the latest ones.
func TestEndedSessionsAreRememberedWithinABound(t *testing.T) {
	t.Parallel()
	var ended endedSessions
	const n = 5 * endedGeneration
	for i := range n {
		ended.add(fmt.Sprint("s", i), protocol.Completed)
	}
	if kept := len(ended.newer) + len(ended.older); kept > 2*endedGeneration {
		t.Errorf("%d sessions are remembered", kept)
	}
	for i := n - endedGeneration; i < n; i++ {
		if ended.status(fmt.Sprint("s", i)) != protocol.Completed {
			t.Fatalf("session %d of %d is forgotten", i, n)
		}
	}
	if status := ended.status("another"); status != "" {
		t.Errorf("a session that did not end is %s", status)
	}
}

// A session is served for the time that the limit allows; then it waits for the backend,
// and goes on when it is redeemed.
func TestOfflineSessionIsHeldBackAfterItsTime(t *testing.T) {
	t.Parallel()
	var told atomic.Pointer[protocol.LaunchRequest]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req protocol.LaunchRequest
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			t.Error(err)
		}
		told.Store(&req)
		answer := protocol.LaunchAnswer{Session: *stateOf("s1", 1, protocol.Active, time.Hour), SessionToken: "tok", ServerTimeMS: time.Now().UnixMilli()}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	e := edgeOf(t, server.URL)
	const limit = 50 * time.Millisecond
	cookie, code := admit(e, "s1", OfflineLimits{Time: limit, Sessions: 1})
	if code != "" {
		t.Fatal(code)
	}
	s := e.Sessions.ByToken(cookie)
	cut := make(chan protocol.Code, 1)
	s.Register(&live.Registration{Cutter: codeFunc(func(code protocol.Code) { cut <- code })})
	go e.Sessions.Run(t.Context())
	select {
	case code = <-cut: // the deadlines' loop works to the second
	case <-time.After(2 * time.Minute):
	}
	if code != protocol.BackendUnavailable || s.Refusal() != protocol.BackendUnavailable || live.IsEnd(s.Refusal()) {
		t.Errorf("its request ended with %q, further ones are refused with %q", code, s.Refusal())
	}
	if err := e.Offline.redeem(t.Context(), "s1", e.Offline.list()["s1"]); err != nil {
		t.Fatal(err)
	}
	if s := e.Sessions.ByToken(cookie); s == nil || s.Refusal() != "" || s.Provisional() || SessionToken(s, cookie) != "tok" {
		t.Error("the session does not go on with its cookie")
	}
	if o := told.Load().Offline; o == nil || o.ServedMS != limit.Milliseconds() || o.AdmittedAtMS == 0 {
		t.Errorf("the backend was told %+v, want %d ms", o, limit.Milliseconds())
	}
	if e.Offline.len() != 0 {
		t.Error("it is redeemed again")
	}
}

// codeFunc is a request under way that is told why it ends.
type codeFunc func(protocol.Code)

func (f codeFunc) Cut(code protocol.Code) { f(code) }

// No session is served for longer than was sold, whatever the limit.
func TestOfflineSessionIsServedForNoLongerThanWasSold(t *testing.T) {
	t.Parallel()
	e := aloneEdge(t)
	claims := claimsFor("s1", time.Hour)
	claims.DurationLimitSeconds = 60 // of a session whose clock starts on entry, with a long launch window
	if _, code := e.Offline.Admit(&protocol.LaunchRequest{}, claims, OfflineLimits{Time: 10 * time.Minute, Sessions: 1}); code != "" {
		t.Fatal(code)
	}
	o := e.Offline.list()["s1"]
	if got := o.until - o.at; got != 60_000 {
		t.Errorf("served for %d ms, want 60,000", got)
	}
	if got := o.servedMS(o.at + 3_600_000); got != 60_000 {
		t.Errorf("the backend is told of %d ms", got)
	}
}

// A backend from before the field is asked again without it.
func TestOlderBackendRedeemsOfflineEntries(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req map[string]any
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			t.Error(err)
		}
		if _, known := req["offline"]; known {
			w.Header().Set("Content-Type", protocol.ProblemType)
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprintf(w, `{"code":%q,"status":422,"title":"x"}`, protocol.InvalidRequest)
			return
		}
		answer := protocol.LaunchAnswer{Session: *stateOf("s1", 1, protocol.Active, time.Hour), SessionToken: "tok"}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	e := edgeOf(t, server.URL)
	if _, code := admit(e, "s1", OfflineLimits{Time: time.Hour, Sessions: 1}); code != "" {
		t.Fatal(code)
	}
	if err := e.Offline.redeem(t.Context(), "s1", e.Offline.list()["s1"]); err != nil || e.Sessions.ByToken("tok") == nil {
		t.Errorf("not redeemed: %v", err)
	}
}
