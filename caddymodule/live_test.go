package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
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

func TestOlderNewsChangesNothing(t *testing.T) {
	t.Parallel()
	l := newLiveSet(new(clock))
	s := l.put(state("a", 5, protocol.Revoked, time.Hour), 1)
	if l.put(state("a", 4, protocol.Active, time.Hour), 2) != s {
		t.Fatal("the session was made twice")
	}
	if code := s.code(); code != protocol.SessionRevoked {
		t.Errorf("after older news: %q, want it revoked still", code)
	}
	if s.apply(state("a", 5, protocol.Revoked, time.Hour), 3); s.confirmed.Load() != 3 {
		t.Error("the same news again did not confirm")
	}
}

func TestVerdictsAreForgottenWithTheirSession(t *testing.T) {
	t.Parallel()
	l := newLiveSet(new(clock))
	s := l.put(state("a", 1, protocol.Active, time.Hour), 1)
	l.vouch("token-1", s)
	l.vouch("token-2", s)
	if l.byToken("token-1") != s || l.byToken("token-2") != s || l.byToken("token-3") != nil {
		t.Fatal("verdicts are not found")
	}
	l.drop(s)
	if l.byToken("token-1") != nil || l.byToken("token-2") != nil || l.byID("a") != nil {
		t.Error("something of the session is left")
	}
	l.vouch("token-4", s) // verified while it was being forgotten
	if l.byToken("token-4") != nil {
		t.Error("a forgotten session took a verdict")
	}
}

// Two ids with one hash are two sessions.
func TestIDsThatCollide(t *testing.T) {
	t.Parallel()
	l := newLiveSet(new(clock))
	a, b := l.put(state("a", 1, protocol.Active, time.Hour), 1), l.put(state("b", 1, protocol.Active, time.Hour), 1)
	sh := idShard{m: map[uint64]*liveSession{}}
	sh.addLocked(7, a)
	sh.addLocked(7, b)
	if sh.findLocked(7, "a") != a || sh.findLocked(7, "b") != b || sh.findLocked(7, "c") != nil {
		t.Error("one is taken for the other")
	}
	n := 0
	sh.eachLocked(func(*liveSession) { n++ })
	if !sh.removeLocked(7, a) || sh.removeLocked(7, a) || sh.findLocked(7, "a") != nil || sh.findLocked(7, "b") != b || n != 2 {
		t.Errorf("of %d sessions the wrong one is removed", n)
	}
}

func TestCutReachesEveryOpenRequestOnce(t *testing.T) {
	t.Parallel()
	l := newLiveSet(new(clock))
	s := l.put(state("a", 1, protocol.Active, time.Hour), 1)
	var cut int
	open := make([]*openRequest, 5)
	for i := range open {
		open[i] = &openRequest{cancel: func() { cut++ }}
		if code := s.register(open[i]); code != "" {
			t.Fatal(code)
		}
	}
	s.release(open[2])
	s.release(open[2]) // again does nothing
	s.apply(state("a", 2, protocol.Paused, time.Hour), 2)
	if cut != 4 {
		t.Errorf("%d requests were cut, want the 4 that were open", cut)
	}
	for i, o := range open {
		if code := o.finish(); (i == 2) != (code == "") || i != 2 && code != protocol.SessionPaused {
			t.Errorf("request %d was cut for %q", i, code)
		}
		s.release(o)
	}
	if code := s.register(open[0]); code != protocol.SessionPaused {
		t.Errorf("a paused session took a request: %q", code)
	}
}

// runs wakes the sessions of l until the test ends.
func runs(t *testing.T, l *liveSet) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); l.run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

func TestExtensionMovesTheDeadlineOfOpenRequests(t *testing.T) {
	t.Parallel()
	l := newLiveSet(new(clock))
	runs(t, l)
	first := state("a", 1, protocol.Active, 0)
	first.ExpiresAt = time.Now().Unix() + 1
	s := l.put(first, 1)
	ended := make(chan struct{})
	if code := s.register(&openRequest{cancel: func() { close(ended) }}); code != "" {
		t.Fatal(code)
	}
	second := *first
	second.Version, second.ExpiresAt = 2, first.ExpiresAt+1
	s.apply(&second, 2)
	<-ended
	if early := time.Until(time.Unix(second.ExpiresAt, 0)); early > 0 {
		t.Errorf("cut %s before the new deadline", early)
	}
}

// A reload with another edge key gives the edge up, and an event stream that
// began under it goes on: to its session's end and no further.
func TestOpenRequestsOfAnEdgeThatIsGivenUpEndInTime(t *testing.T) {
	t.Parallel()
	e := testEdge(t)
	e.start()
	st := state("a", 1, protocol.Active, 0)
	st.ExpiresAt = time.Now().Unix() + 2
	s := e.live.put(st, 1)
	ended := make(chan struct{})
	if code := s.register(&openRequest{cancel: func() { close(ended) }}); code != "" {
		t.Fatal(code)
	}
	if err := e.Destruct(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("it runs on after the deadline")
	}
	if early := time.Until(time.Unix(st.ExpiresAt, 0)); early > 0 {
		t.Errorf("it was cut %s early", early)
	}
}

func TestAbandonedSessionTakesNoRequest(t *testing.T) {
	t.Parallel()
	l := newLiveSet(new(clock))
	s := l.put(state("a", 1, protocol.Active, time.Hour), 1)
	l.drop(s)
	s.abandon() // between a request's admission and its registration
	if code := s.register(&openRequest{cancel: func() {}}); code == "" {
		t.Error("a request is open that no deadline ends")
	}
}

func TestClockFollowsTheBestSample(t *testing.T) {
	t.Parallel()
	c := new(clock)
	asked := time.Now()
	ahead := time.Hour.Milliseconds()
	c.observe(asked, asked.Add(20*time.Millisecond), asked.UnixMilli()+10+ahead)
	off := func() int64 { return c.nowMS() - time.Now().UnixMilli() }
	if got := off(); got < ahead-5 || got > ahead+5 {
		t.Errorf("the clock is %d ms ahead, want %d", got, ahead)
	}
	// A slow answer says less than a quick one.
	c.observe(asked, asked.Add(3*time.Second), asked.UnixMilli()+ahead)
	if got := off(); got < ahead-5 || got > ahead+5 {
		t.Errorf("a slow answer moved the clock to %d ms ahead", got)
	}
	c.observe(asked, asked.Add(time.Millisecond), 0) // no time in the answer
	if got := off(); got < ahead-5 {
		t.Errorf("an answer without time moved the clock to %d ms ahead", got)
	}
}

// A machine that was suspended, or a backend whose clock was set, must not judge
// by the old time for the rest of a minute.
func TestClockFollowsAJumpAtOnce(t *testing.T) {
	t.Parallel()
	for _, jump := range []time.Duration{5 * time.Minute, -5 * time.Minute, time.Second} {
		c := new(clock)
		asked := time.Now().Add(-10 * time.Second)
		c.observe(asked, asked.Add(time.Millisecond), asked.UnixMilli())
		later := asked.Add(9 * time.Second)
		c.observe(later, later.Add(40*time.Millisecond), later.UnixMilli()+20+jump.Milliseconds())
		if off := c.nowMS() - time.Now().UnixMilli() - jump.Milliseconds(); off < -30 || off > 30 {
			t.Errorf("after a jump of %s the clock is %d ms off", jump, off)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		b.Run(fmt.Sprintf("sessions=%d", n), func(b *testing.B) {
			l := newLiveSet(new(clock))
			for i := range n {
				id := fmt.Sprintf("session-%d", i)
				l.vouch("token-"+id, l.put(state(id, 1, protocol.Active, time.Hour), 1))
			}
			now := time.Now().UnixMilli()
			b.ReportAllocs()
			for b.Loop() {
				if s := l.byToken("token-session-0"); s == nil || !s.state.Load().admits(now) {
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
		l := newLiveSet(new(clock))
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
			l.vouch(fmt.Sprintf("header.payload.signature-%d", i), l.put(&st, 1))
		}
		b.ReportMetric((alive()-before)/sessions, "B/session")
		if l.len() != sessions {
			b.Fatal(l.len())
		}
	}
}
