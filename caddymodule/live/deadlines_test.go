package live

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// Whatever is set, moved and removed: each session is due once, in its second or
// the first look after it, and never early.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	d := newDeadlines(unixMS)
	all := make([]*Session, 300)
	want := map[*Session]int64{} // its moment
	late := map[*Session]bool{}  // past already when it was set
	for i := range all {
		all[i] = new(Session)
	}
	now := int64(1_800_000_000_000)
	for step := range 20_000 {
		s := all[r.IntN(len(all))]
		switch r.IntN(6) {
		case 0:
			d.remove(s)
			delete(want, s)
		case 1, 2, 3:
			at := now + r.Int64N(30_000) - 5_000
			d.set(s, at)
			want[s], late[s] = at, at <= now
		default:
			leap := r.Int64N(1500)
			if r.IntN(200) == 0 {
				leap = 40_000_000 - r.Int64N(80_000_000) // the clock is set
			}
			now += leap
			for _, s := range d.due(now) {
				at, set := want[s]
				if !set {
					t.Fatalf("step %d: woken without a deadline, or twice", step)
				}
				if now < at && !late[s] { // late when it was set, and the clock was set back since: wake looks again
					t.Fatalf("step %d: woken %d ms early", step, at-now)
				}
				delete(want, s)
			}
			for _, at := range want {
				if ago := now/1000*1000 - at; ago >= 0 {
					t.Fatalf("step %d: a deadline %d ms ago was not woken", step, ago)
				}
			}
		}
	}
	if len(d.seconds) > len(all) {
		t.Errorf("%d lists for %d sessions", len(d.seconds), len(all))
	}
}

// A session that was due before it was known wakes at the next look.
func TestOverdueIsDueAtOnce(t *testing.T) {
	t.Parallel()
	d := newDeadlines(unixMS)
	d.due(10_000)
	late, later := new(Session), new(Session)
	d.set(late, 3_000)
	d.set(later, 11_000)
	select {
	case <-d.wakeNow:
	default:
		t.Error("nobody is told")
	}
	if due := d.due(10_500); !slices.Equal(due, []*Session{late}) {
		t.Errorf("due are %d sessions", len(due))
	}
	if due := d.due(11_000); !slices.Equal(due, []*Session{later}) {
		t.Errorf("due are %d sessions", len(due))
	}
}

// Ended sessions are forgotten after their afterlife, and their deadlines with them.
func TestForgottenSessionsLeaveNothing(t *testing.T) {
	t.Parallel()
	l := NewStore(unixMS)
	const n = 1000
	for i := range n {
		id := fmt.Sprint("s", i)
		l.BindToken("token-"+id, l.Put(state(id, 1, protocol.Revoked, -2*afterlife), 1))
		l.BindToken("second-"+id, l.ByID(id))
	}
	for _, s := range l.deadlines.due(unixMS() + 2*afterlife.Milliseconds()) {
		s.wake()
	}
	tokens := 0
	for i := range l.tokens {
		tokens += len(l.tokens[i].m)
	}
	if l.Len() != 0 || tokens != 0 || len(l.deadlines.seconds) != 0 {
		t.Errorf("left are %d sessions, %d tokens, %d deadlines", l.Len(), tokens, len(l.deadlines.seconds))
	}
}
