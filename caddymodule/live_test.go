package caddymodule

import (
	"fmt"
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

func TestExtensionMovesTheDeadlineOfOpenRequests(t *testing.T) {
	t.Parallel()
	l := newLiveSet(new(clock))
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
	c.observe(asked, asked.Add(3*time.Second), asked.UnixMilli())
	if got := off(); got < ahead-5 || got > ahead+5 {
		t.Errorf("a slow answer moved the clock to %d ms ahead", got)
	}
	c.observe(asked, asked.Add(time.Millisecond), 0) // no time in the answer
	if got := off(); got < ahead-5 {
		t.Errorf("an answer without time moved the clock to %d ms ahead", got)
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
				if s := l.byToken("token-session-0"); s == nil || !s.admitted(now) {
					b.Fatal("refused")
				}
			}
		})
	}
}
