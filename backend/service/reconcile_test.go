package service

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
)

// Each round of reconciliation covers what may have changed since the last one that
// succeeded, whatever the clock shows, and no more.
func TestTimesThatAreReconciled(t *testing.T) {
	t.Parallel()
	type round struct {
		at     time.Duration // by the clock
		failed bool
	}
	steady := func(from time.Duration, n int) (list []round) {
		for i := range n {
			list = append(list, round{at: from + time.Duration(i)*time.Second})
		}
		return list
	}
	const hour = time.Hour
	start := time.Unix(1_800_000_000, 0)
	for name, tt := range map[string]struct {
		rounds  []round
		covered []time.Duration // by the last round
		not     []time.Duration
	}{
		"the first":              {steady(0, 1), []time.Duration{-14 * time.Second, 0, 14 * time.Second}, []time.Duration{-hour, hour}},
		"a steady clock":         {steady(0, 10), []time.Duration{2 * time.Second, 9 * time.Second, 20 * time.Second}, []time.Duration{-hour, hour}},
		"after failures":         {append(steady(0, 10), round{10 * time.Second, true}, round{hour, true}, round{at: hour + time.Second}), []time.Duration{5 * time.Second, hour / 2, hour}, []time.Duration{-hour, 2 * hour}},
		"a slow round":           {append(steady(0, 10), round{at: 5 * time.Minute}), []time.Duration{5 * time.Second, time.Minute, 5 * time.Minute}, nil},
		"set forward":            {append(steady(0, 10), round{at: hour}), []time.Duration{5 * time.Second, hour}, []time.Duration{-time.Minute, 2 * hour}},
		"set back":               {append(steady(hour, 10), round{}), []time.Duration{hour, hour + 14*time.Second, -5 * time.Second, 0}, []time.Duration{hour / 2, 2 * hour}},
		"set back while failing": {append(steady(hour, 10), round{hour + 10*time.Second, true}, round{0, true}, round{at: time.Second}), []time.Duration{hour, hour + 20*time.Second, time.Second}, []time.Duration{hour / 2, 2 * hour}},
		"set back twice":         {append(steady(2*hour, 10), round{at: hour}, round{at: 0}), []time.Duration{2 * hour, hour, 0}, []time.Duration{3 * hour, hour / 2}},
		"set back a little":      {append(steady(0, 10), round{at: 8*time.Second + 500*time.Millisecond}), []time.Duration{2 * time.Second, 10 * time.Second}, nil},
		"set back long ago":      {append(steady(hour, 10), steady(0, 16)...), []time.Duration{10 * time.Second}, []time.Duration{hour, hour + 5*time.Second}},
		"set back and forward":   {append(append(steady(hour, 10), steady(0, 3)...), round{at: hour + 20*time.Second}), []time.Duration{0, hour, hour + 20*time.Second}, []time.Duration{2 * hour}},
	} {
		var r recent
		var spans []span
		for _, n := range tt.rounds {
			now := start.Add(n.at)
			if spans = r.spans(now); !n.failed {
				r.done(now)
			}
		}
		covers := func(at time.Duration) bool {
			return slices.ContainsFunc(spans, func(s span) bool { return !start.Add(at).Before(s.from) && start.Add(at).Before(s.to) })
		}
		for _, at := range tt.covered {
			if !covers(at) {
				t.Errorf("%s: changes at %v are left out", name, at)
			}
		}
		for _, at := range tt.not {
			if covers(at) {
				t.Errorf("%s: changes at %v are read", name, at)
			}
		}
		if len(spans) > 3 {
			t.Errorf("%s: %d reads", name, len(spans))
		}
	}
}

// When a clock is set back, the changes that were made just before are published, and
// later rounds leave them alone, although the clock shows an earlier time.
func TestChangesOfAClockAheadAreReconciledAtItsStep(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	st, err := store.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "test.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	right := time.Unix(1_800_000_000, 0)
	ahead := right.Add(time.Hour)
	err = st.Write(ctx, func(tx *store.Tx) error { return tx.InsertProvider(ctx, store.Provider{ID: "p"}, right) })
	if err != nil {
		t.Fatal(err)
	}
	sold := func(id string, at time.Time) {
		t.Helper()
		tr, err := session.New(session.Order{ID: id, UserID: "u", ProviderID: "p", Tokens: 1, Duration: 60, ReturnURL: "https://market.example/"}, at)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Write(ctx, func(tx *store.Tx) error { return tx.Insert(ctx, tr, at) }); err != nil {
			t.Fatal(err)
		}
	}
	var r recent
	round := func(now time.Time) (published []string) {
		t.Helper()
		memory := coord.NewMemory(100, func() time.Time { return now }) // knows of nothing
		s := &Service{store: st, coord: memory, now: func() time.Time { return now }}
		if err := s.reconcile(ctx, r.spans(now), 100); err != nil {
			t.Fatal(err)
		}
		r.done(now)
		states, err := memory.States(ctx, []string{"before", "other", "after"})
		if err != nil {
			t.Fatal(err)
		}
		for _, state := range states {
			if state.ID != "" {
				published = append(published, state.ID)
			}
		}
		return published
	}
	if got := round(ahead); got != nil {
		t.Errorf("published %v of nothing", got)
	}
	sold("before", ahead.Add(500*time.Millisecond))
	if got := round(right); !slices.Equal(got, []string{"before"}) { // the clock was set back between
		t.Errorf("published %v after the step", got)
	}
	sold("other", ahead.Add(3*time.Second)) // by a service that has not noticed
	sold("after", right.Add(time.Second))
	if got := round(right.Add(time.Second)); !slices.Equal(got, []string{"before", "other", "after"}) {
		t.Errorf("published %v", got)
	}
	for i := range 15 {
		round(right.Add(time.Duration(2+i) * time.Second))
	}
	if got := round(right.Add(17 * time.Second)); got != nil {
		t.Errorf("%v are read again", got)
	}
	// More changes than a round publishes are reported: not all edges know of them.
	s := &Service{store: st, coord: coord.NewMemory(100, time.Now)}
	if err := s.reconcile(ctx, []span{{right, ahead.Add(time.Minute)}}, 2); !errors.Is(err, errManyChanges) {
		t.Errorf("two of three changes were published: %v", err)
	}
	if got := round(ahead); !slices.Contains(got, "before") { // as the hour passes
		t.Errorf("published %v", got)
	}
}
