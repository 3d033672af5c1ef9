package service

import (
	"context"
	"errors"
	"fmt"
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

// reconciled is a service with a database in which sessions were sold and nothing was
// published, as after a crash between commit and publication.
func reconciled(t *testing.T, now time.Time, ids ...string) (*Service, *coord.Subscription) {
	t.Helper()
	ctx := context.Background()
	st, err := store.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "test.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	err = st.Write(ctx, func(tx *store.Tx) error { return tx.InsertProvider(ctx, store.Provider{ID: "p"}, now) })
	at := now
	for some := range slices.Chunk(ids, 200) { // a transaction has a time limit
		if err != nil {
			t.Fatal(err)
		}
		err = st.Write(ctx, func(tx *store.Tx) error {
			for _, id := range some {
				at = at.Add(time.Millisecond)
				tr, err := session.New(session.Order{ID: id, UserID: "u", ProviderID: "p", Tokens: 1, Duration: 600, ReturnURL: "https://market.example/"}, at)
				if err != nil {
					return err
				}
				if err := tx.Insert(ctx, tr, at); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	memory := coord.NewMemory(10_000, func() time.Time { return now })
	sub, err := memory.Subscribe("")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := sub.Next(ctx); err != nil || !b.Reset {
		t.Fatalf("%+v, %v", b, err)
	}
	return &Service{store: st, coord: memory, now: func() time.Time { return now }, changesAtOnce: 50}, sub
}

// told returns the ids and versions of the next n states that a subscription has.
func told(t *testing.T, sub *coord.Subscription, n int) (list []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for len(list) < n {
		batch, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("%v after %q", err, list)
		}
		for _, e := range batch.Events {
			l, err := decodeState(coord.State{Data: e.Data})
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, fmt.Sprintf("%s/%d", l.ID, l.Version))
		}
	}
	return list
}

// around is the time of all changes of a test.
func around(now time.Time) []span { return []span{{now.Add(-time.Minute), now.Add(time.Minute)}} }

// A change that was published is not read again, and one that a crash kept from being
// published is found: among published ones, at a newer version than the published one,
// and when its version is not recorded.
func TestOnlyUnpublishedChangesAreRead(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	now := time.Unix(1_800_000_000, 0)
	s, sub := reconciled(t, now, "a", "b", "c")
	publish := func(ids ...string) {
		t.Helper()
		for _, id := range ids {
			c, err := s.store.Session(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			state, err := s.state(c)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.coord.Publish(ctx, state); err != nil {
				t.Fatal(err)
			}
		}
	}
	read := func() []string {
		t.Helper()
		page, err := s.store.Changes(ctx, now.Add(-time.Minute), now.Add(time.Minute), "", reconcilePage)
		if err != nil {
			t.Fatal(err)
		}
		return s.unpublished(page)
	}
	round := func(want ...string) {
		t.Helper()
		if err := s.reconcile(ctx, around(now), 100); err != nil {
			t.Fatal(err)
		}
		if got := told(t, sub, len(want)); !slices.Equal(got, want) {
			t.Errorf("published %q, want %q", got, want)
		}
		if got := read(); len(got) > 0 {
			t.Errorf("%q would be read again", got)
		}
	}
	publish("a", "c")
	told(t, sub, 2)
	if got := read(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("%q are read, want b alone", got)
	}
	round("b/1")

	c, err := s.store.Session(ctx, "c")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // two changes, and one read
		tr, err := session.Apply(c, session.Extend{By: session.Marketplace, Seconds: 9}, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.store.Write(ctx, func(tx *store.Tx) error { return tx.Update(ctx, tr, now) }); err != nil {
			t.Fatal(err)
		}
		c = tr.Session
	}
	if got := read(); !slices.Equal(got, []string{"c"}) {
		t.Errorf("%q are read, want c once", got)
	}
	round("c/3")
	if got := s.unpublished([]store.Change{{ID: "1", SessionID: "a"}}); !slices.Equal(got, []string{"a"}) {
		t.Errorf("of a change without a version, %q are read", got)
	}
}

// The limit of a round counts what is not published yet: a round goes on where the one
// before it stopped, however many changes were published already.
func TestRoundsGoOnWhereTheLastOneStopped(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	now := time.Unix(1_800_000_000, 0)
	const page = 50
	ids := make([]string, page+7) // more than a page
	for i := range ids {
		ids[i] = fmt.Sprintf("s%05d", i)
	}
	s, sub := reconciled(t, now, ids...)
	const limit = page - 10
	spans := around(now)
	if err := s.reconcile(ctx, spans, limit); !errors.Is(err, errManyChanges) {
		t.Errorf("the first round: %v", err)
	}
	if got := told(t, sub, limit); len(got) != limit || got[0] != "s00000/1" || got[limit-1] != fmt.Sprintf("s%05d/1", limit-1) {
		t.Errorf("the first round published %d", len(got))
	}
	if err := s.reconcile(ctx, spans, limit); err != nil {
		t.Errorf("the second round: %v", err)
	}
	if got := told(t, sub, len(ids)-limit); len(got) != len(ids)-limit || got[len(got)-1] != ids[len(ids)-1]+"/1" {
		t.Errorf("the second round published %d, want %d", len(got), len(ids)-limit)
	}
	if err := s.reconcile(ctx, spans, 0); err != nil {
		t.Errorf("a round with nothing to publish: %v", err)
	}
}
