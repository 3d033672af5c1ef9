package live

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// state is a live session's state that ends in the given time.
func state(id string, version int64, status protocol.Status, left time.Duration) *protocol.LiveState {
	return &protocol.LiveState{
		ID: id, Version: version, Status: status, ProviderID: "p",
		ExpiresAt: time.Now().Add(left).Unix(),
	}
}

// unixMS is the backend's time where its clock is this machine's.
func unixMS() int64 { return time.Now().UnixMilli() }

// request is one under way: it notes why it was cut.
type request struct {
	code protocol.Code
	then func() // what else a cut does; nil for nothing
}

func (r *request) Cut(code protocol.Code) {
	r.code = code
	if r.then != nil {
		r.then()
	}
}

func TestOlderNewsChangesNothing(t *testing.T) {
	t.Parallel()
	l := NewStore(unixMS)
	s := l.Put(state("a", 5, protocol.Revoked, time.Hour), 1)
	if l.Put(state("a", 4, protocol.Active, time.Hour), 2) != s {
		t.Fatal("the session was made twice")
	}
	if code := s.Refusal(); code != protocol.SessionRevoked {
		t.Errorf("after older news: %q, want it revoked still", code)
	}
	if s.Apply(state("a", 5, protocol.Revoked, time.Hour), 3); s.confirmed.Load() != 3 {
		t.Error("the same news again did not confirm")
	}
}

func TestVerdictsAreForgottenWithTheirSession(t *testing.T) {
	t.Parallel()
	l := NewStore(unixMS)
	s := l.Put(state("a", 1, protocol.Active, time.Hour), 1)
	l.BindToken("token-1", s)
	l.BindToken("token-2", s)
	if l.ByToken("token-1") != s || l.ByToken("token-2") != s || l.ByToken("token-3") != nil {
		t.Fatal("verdicts are not found")
	}
	l.Forget(s)
	if l.ByToken("token-1") != nil || l.ByToken("token-2") != nil || l.ByID("a") != nil {
		t.Error("something of the session is left")
	}
	l.BindToken("token-4", s) // verified while it was being forgotten
	if l.ByToken("token-4") != nil {
		t.Error("a forgotten session took a verdict")
	}
}

// Two ids with one hash are two sessions.
func TestIDsThatCollide(t *testing.T) {
	t.Parallel()
	l := NewStore(unixMS)
	a, b := l.Put(state("a", 1, protocol.Active, time.Hour), 1), l.Put(state("b", 1, protocol.Active, time.Hour), 1)
	sh := idShard{m: map[uint64]*Session{}}
	sh.addLocked(7, a)
	sh.addLocked(7, b)
	if sh.findLocked(7, "a") != a || sh.findLocked(7, "b") != b || sh.findLocked(7, "c") != nil {
		t.Error("one is taken for the other")
	}
	n := 0
	sh.eachLocked(func(*Session) { n++ })
	if !sh.removeLocked(7, a) || sh.removeLocked(7, a) || sh.findLocked(7, "a") != nil || sh.findLocked(7, "b") != b || n != 2 {
		t.Errorf("of %d sessions the wrong one is removed", n)
	}
}

func TestCutReachesEveryOpenRequestOnce(t *testing.T) {
	t.Parallel()
	l := NewStore(unixMS)
	s := l.Put(state("a", 1, protocol.Active, time.Hour), 1)
	var cut int
	open := make([]*Registration, 5)
	for i := range open {
		open[i] = &Registration{Cutter: &request{then: func() { cut++ }}}
		if code := s.Register(open[i]); code != "" {
			t.Fatal(code)
		}
	}
	s.Release(open[2])
	s.Release(open[2]) // again does nothing
	s.Apply(state("a", 2, protocol.Paused, time.Hour), 2)
	if cut != 4 {
		t.Errorf("%d requests were cut, want the 4 that were open", cut)
	}
	for i, o := range open {
		if code := o.Cutter.(*request).code; (i == 2) != (code == "") || i != 2 && code != protocol.SessionPaused {
			t.Errorf("request %d was cut for %q", i, code)
		}
		s.Release(o)
	}
	if code := s.Register(open[0]); code != protocol.SessionPaused {
		t.Errorf("a paused session took a request: %q", code)
	}
}

// The end of a session is told once; more time after its deadline is another life.
func TestEachEndIsToldOnce(t *testing.T) {
	t.Parallel()
	l := NewStore(unixMS)
	var told []string
	l.OnEnd = func(s *Session, code protocol.Code) { told = append(told, s.ID()+" "+string(code)) }
	s := l.Put(state("a", 1, protocol.Active, time.Hour), 1)
	l.Put(state("a", 2, protocol.Paused, time.Hour), 2) // no end
	l.Put(state("a", 3, protocol.Revoked, time.Hour), 3)
	s.wake() // its timer, later
	l.Put(state("b", 9, protocol.Completed, time.Hour), 3)
	l.Put(state("c", 1, protocol.Active, 0), 1).wake() // over as it is first seen
	d := l.Put(state("d", 1, protocol.Active, time.Hour), 1)
	d.Apply(state("d", 2, protocol.Active, -time.Second), 4)
	d.Apply(state("d", 3, protocol.Active, time.Hour), 5) // extended after all
	d.Apply(state("d", 4, protocol.Completed, time.Hour), 6)
	if want := []string{"a session_revoked", "d session_expired", "d session_completed"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// runs wakes the sessions of l until the test ends.
func runs(t *testing.T, l *Store) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); l.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

func TestExtensionMovesTheDeadlineOfOpenRequests(t *testing.T) {
	t.Parallel()
	l := NewStore(unixMS)
	runs(t, l)
	first := state("a", 1, protocol.Active, 0)
	first.ExpiresAt = time.Now().Unix() + 1
	s := l.Put(first, 1)
	ended := make(chan struct{})
	if code := s.Register(&Registration{Cutter: &request{then: func() { close(ended) }}}); code != "" {
		t.Fatal(code)
	}
	second := *first
	second.Version, second.ExpiresAt = 2, first.ExpiresAt+1
	s.Apply(&second, 2)
	<-ended
	if early := time.Until(time.Unix(second.ExpiresAt, 0)); early > 0 {
		t.Errorf("cut %s before the new deadline", early)
	}
}

func TestAbandonedSessionTakesNoRequest(t *testing.T) {
	t.Parallel()
	l := NewStore(unixMS)
	s := l.Put(state("a", 1, protocol.Active, time.Hour), 1)
	l.Forget(s)
	s.Abandon() // between a request's admission and its registration
	if code := s.Register(&Registration{Cutter: new(request)}); code == "" {
		t.Error("a request is open that no deadline ends")
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		b.Run(fmt.Sprintf("sessions=%d", n), func(b *testing.B) {
			l := NewStore(unixMS)
			for i := range n {
				id := fmt.Sprintf("session-%d", i)
				l.BindToken("token-"+id, l.Put(state(id, 1, protocol.Active, time.Hour), 1))
			}
			now := time.Now().UnixMilli()
			b.ReportAllocs()
			for b.Loop() {
				if s := l.ByToken("token-session-0"); s == nil || !s.state.Load().admits(now) {
					b.Fatal("refused")
				}
			}
		})
	}
}

// BenchmarkMillionSessions holds a million live sessions, as the backend tells
// them and with a token of each verified, and reports what one costs.
func BenchmarkMillionSessions(b *testing.B) {
	const sessions = 1_000_000
	alive := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for b.Loop() {
		l := NewStore(unixMS)
		before := alive()
		ends := time.Now().Unix()
		for i := range sessions {
			var st protocol.LiveState
			err := json.Unmarshal(fmt.Appendf(nil, `{"id":"0198c5d2-7b51-7c3e-9a55-%012x","user_id":"user_%07d","provider_id":"prov_demo","status":"active",`+
				`"version":2,"expires_at":%d,"started_at":%d,"duration_limit_seconds":3600,"tokens_allocated":100,"return_url":"https://market.example/session/complete",`+
				`"warning_seconds":[300,60],"extension":{"additional_seconds":600,"tokens":20,"max_count":3}}`, i, i, ends+int64(i%3600), ends), &st)
			if err != nil {
				b.Fatal(err)
			}
			l.BindToken(fmt.Sprintf("header.payload.signature-%d", i), l.Put(&st, 1))
		}
		b.ReportMetric((alive()-before)/sessions, "B/session")
		if l.Len() != sessions {
			b.Fatal(l.Len())
		}
	}
}
