package e2e_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to look into the backend's database

	"github.com/sessiongate/sessiongate/internal/token"
)

// TestBackendOutage breaks the link between edge and backend, kills the session
// service, and starts it again.
func TestBackendOutage(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	user := s.newUser(t, 300)
	b := s.enter(t, s.buy(t, terms{User: user, Seconds: 300, Tokens: 10}).LaunchURL)
	// What happens before its deadline are some forty requests.
	shortSale := s.buy(t, terms{User: user, Seconds: 10 + 2*s.fewByLink(t, 5), Tokens: 10, Clock: "launch"})
	short := s.enter(t, shortSale.LaunchURL)
	later := s.buy(t, terms{User: user, Seconds: 300, Tokens: 10})
	deadline := s.deadlineOf(t, shortSale.Session.ID)

	s.Link.Cut()
	s.kill(t)
	for cut := time.Now(); time.Since(cut) < 3*time.Second; { // past max_staleness of 1 s
		for name, who := range map[string]*Client{"long": b, "short": short} {
			began := time.Now()
			if a := who.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
				t.Fatalf("the %s session's request during the outage: %d %s", name, a.Status, a.Body)
			}
			// It waits for nobody: what the edge asks of the backend ends after 5 s.
			if took := time.Since(began); took > 2*time.Second+allowance+turns*machine.longest(began) {
				t.Errorf("a request took %s during the outage", took)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	a := Browser(t).Do(t, "GET", later.LaunchURL, nil)
	if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || !bytes.Contains(a.Body, []byte("One moment, please")) {
		t.Errorf("an entry during the outage: %d %s", a.Status, a.Body)
	}
	if a := page(b, t, "POST", s.App+"/.session-gate/heartbeat", map[string]any{"active": true}); a.Status != http.StatusOK {
		t.Errorf("a heartbeat during the outage: %d %s", a.Status, a.Body)
	}
	if a := page(b, t, "POST", s.App+"/.session-gate/extend", map[string]any{}); a.Status != http.StatusServiceUnavailable {
		t.Errorf("an extension during the outage: %d %s", a.Status, a.Body)
	}
	// The deadline holds, backend or no.
	s.refused(t, short, "session_expired", deadline, deadline)

	s.startBackend(t)
	s.Link.Mend()
	if got := s.settled(t, shortSale.Session.ID); got.Status != "expired" {
		t.Errorf("after the restart: %+v", got)
	}
	s.enter(t, later.LaunchURL)
	// What was revoked after the link came back is heard of.
	ends := s.buy(t, terms{User: user, Seconds: 300, Tokens: 10})
	eb := s.enter(t, ends.LaunchURL)
	// The stream may be about to connect again: at least every 2 s, with as much
	// again of jitter.
	asked, revoked := s.revoke(t, ends.Session.ID)
	s.refused(t, eb, "session_revoked", asked, revoked.Add(4*time.Second))
}

// TestEntryDuringAnOutage admits new sessions without the backend, where the
// operator wants that, and makes them real once it is back.
func TestEntryDuringAnOutage(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	s.reload(t, strings.Replace(s.caddyfile(""), "max_staleness 1s", "max_staleness 1s\n\t\twhen_backend_down admit\n\t\toffline_sessions 2", 1))
	user := s.newUser(t, 100)
	s.enter(t, s.buy(t, terms{User: user, Seconds: 300, Tokens: 10}).LaunchURL) // the edge learns the keys
	sold := s.buy(t, terms{User: user, Seconds: 300, Tokens: 10})
	ended := s.buy(t, terms{User: user, Seconds: 300, Tokens: 10})
	further := s.buy(t, terms{User: user, Seconds: 300, Tokens: 10})
	// A session that is refunded while the edge hears of it: what it hears later tells that
	// it has.
	refunded := s.buy(t, terms{User: user, Seconds: 300, Tokens: 10})
	sign := s.buy(t, terms{User: user, Seconds: 300, Tokens: 10})
	seen := s.enter(t, sign.LaunchURL)
	s.revoke(t, refunded.Session.ID)
	s.revoke(t, sign.Session.ID)
	eventually(t, func() bool { return page(seen, t, "GET", s.App+"/", nil).Code() == "session_revoked" },
		func() string { return "the edge hears of a revocation" })

	s.Link.Cut()
	a := Caller(s.MarketplaceKey).Do(t, "POST", s.API+"/api/v1/sessions/"+ended.Session.ID+"/revoke", map[string]any{"refund": "full", "reason": "test"})
	if a.Status != http.StatusOK {
		t.Fatalf("revoking: %d %s", a.Status, a.Body)
	}
	b, gone := s.enter(t, sold.LaunchURL), s.enter(t, ended.LaunchURL)
	first := cookieOf(t, b, s.App)
	if strings.Contains(first, "eyJ") {
		t.Error("the provisional cookie holds a token")
	}
	for range 3 {
		if a := b.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
			t.Fatalf("during the outage: %d %s", a.Status, a.Body)
		}
	}
	if a := page(b, t, "POST", s.App+"/.session-gate/extend", map[string]any{}); a.Status != http.StatusServiceUnavailable {
		t.Errorf("extending during the outage: %d %s", a.Status, a.Body)
	}
	if a := page(Browser(t), t, "GET", refunded.LaunchURL, nil); a.Status != http.StatusUnauthorized || a.Code() != "session_revoked" {
		t.Errorf("a link that was refunded before the outage: %d %s", a.Status, a.Body)
	}
	if a := Browser(t).Do(t, "GET", further.LaunchURL, nil); a.Status != http.StatusServiceUnavailable {
		t.Errorf("a link beyond offline_sessions: %d %s", a.Status, a.Body)
	}
	if a := Browser(t).Do(t, "GET", sold.LaunchURL, nil); a.Status != http.StatusConflict {
		t.Errorf("the link in another browser: %d", a.Status)
	}
	if a := Browser(t).Do(t, "GET", s.App+"/?session="+forge(t, kidOf(t, sold.Token), token.Launch, claimsOf(t, sold.Token)), nil); a.Status != http.StatusUnauthorized {
		t.Errorf("a forged token during the outage: %d", a.Status)
	}

	s.Link.Mend()
	mended := time.Now()
	s.refused(t, gone, "session_revoked", mended, mended.Add(4*time.Second))
	eventually(t, func() bool {
		if a := b.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
			t.Fatalf("after the outage: %d %s", a.Status, a.Body)
		}
		return cookieOf(t, b, s.App) != first
	}, func() string { return "the provisional cookie becomes a session token" })
	for id, want := range map[string]string{sold.Session.ID: `"outcome":"counted"`, ended.Session.ID: `"outcome":"after_end"`} {
		var told []byte
		eventually(t, func() bool {
			told = Caller(s.MarketplaceKey).Do(t, "GET", s.API+"/api/v1/sessions/"+id+"/timeline", nil).Body
			return bytes.Contains(told, []byte(`"admitted_offline"`)) && bytes.Contains(told, []byte(want))
		}, func() string { return fmt.Sprintf("the timeline tells of the entry as %s: %s", want, told) })
	}
	if a := page(b, t, "POST", s.App+"/.session-gate/end", map[string]any{}); a.Status != http.StatusOK {
		t.Errorf("ending after the outage: %d %s", a.Status, a.Body)
	}
	if got := s.settled(t, sold.Session.ID); got.Status != "completed" {
		t.Errorf("settled as %+v", got)
	}
}

// TestHeartbeatsSurvive beats while the backend is away, and as the edge stops:
// the backend learns of each session's last sign of life.
func TestHeartbeatsSurvive(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10})
	b := s.enter(t, sold.LaunchURL)
	beat := func() int64 {
		t.Helper()
		var answer struct {
			Acknowledged bool  `json:"acknowledged"`
			ServerTimeMS int64 `json:"server_time_ms"`
		}
		page(b, t, "POST", s.App+"/.session-gate/heartbeat", map[string]any{"active": true}).JSON(t, &answer)
		if !answer.Acknowledged {
			t.Fatal("a heartbeat was not acknowledged")
		}
		return answer.ServerTimeMS / 1000
	}
	s.Link.Cut()
	s.kill(t)
	away := beat()
	s.startBackend(t)
	s.Link.Mend()
	s.lastBeat(t, sold.Session.ID, away)
	last := away
	eventually(t, func() bool { last = beat(); return last > away }, func() string { return "a heartbeat in another second" })
	s.stop(t)
	s.lastBeat(t, sold.Session.ID, last)
}

// lastBeat waits until the backend's database knows of a sign of life at the
// given second.
func (s *Split) lastBeat(t testing.TB, id string, want int64) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.Dir, "sessiongate.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var got int64
	eventually(t, func() bool {
		err = db.QueryRow("SELECT last_at FROM session_beats WHERE session_id = $1", id).Scan(&got)
		return err == nil && got >= want
	}, func() string { return fmt.Sprintf("the heartbeat of %d is written down: %d, %v", want, got, err) })
}

// TestRevocationDuringACutIsHeardAfter revokes a session while the edge hears
// nothing; once the link is back, the session is over there too.
func TestRevocationDuringACutIsHeardAfter(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10})
	b := s.enter(t, sold.LaunchURL)
	s.Link.Cut()
	a := Caller(s.AdminKey).Do(t, "POST", s.API+"/api/v1/sessions/"+sold.Session.ID+"/revoke", map[string]any{"refund": "none", "reason": "test"})
	if a.Status != http.StatusOK {
		t.Fatalf("revoking: %d %s", a.Status, a.Body)
	}
	if a := b.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
		t.Errorf("while the edge cannot know: %d", a.Status)
	}
	s.Link.Mend()
	// The stream tries again at least every 2 s, with as much again of jitter.
	mended := time.Now()
	s.refused(t, b, "session_revoked", mended, mended.Add(4*time.Second))
}

// refused waits until a session is no longer admitted, which was due between from
// and due.
func (s *Split) refused(t testing.TB, b *Client, code string, from, due time.Time) {
	t.Helper()
	var a *Answer
	eventually(t, func() bool { a = page(b, t, "GET", s.App+"/", nil); return a.Code() == code },
		func() string { return fmt.Sprintf("a request is refused with %s: %d %s", code, a.Status, a.Body) })
	onTime(t, from, due, time.Now())
}
