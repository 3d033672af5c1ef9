package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
)

// manySessions reads more sessions than one query does, with ids that do not exist and
// ids that no text of the database can contain. Each session is as it is when read alone.
func manySessions(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	var ids []string
	write(t, s, func(tx *store.Tx) error {
		ids = nil
		for i := range 1003 {
			o := session.Order{ID: fmt.Sprintf("s%04d", i), UserID: "u", ProviderID: "p", Duration: 60, ReturnURL: "https://market.example/"}
			tr, err := session.New(o, Now)
			if err != nil {
				return err
			}
			if err := tx.Insert(ctx, tr, Now); err != nil {
				return err
			}
			ids = append(ids, o.ID)
		}
		return nil
	})
	asked := slices.Concat([]string{"unheard-of", "a\x00b", "\xff", `"}`, ""}, ids, ids[:2])
	got, err := s.SessionsOf(ctx, asked)
	if err != nil || len(got) != len(ids) {
		t.Fatalf("%d sessions, %v; want %d", len(got), err, len(ids))
	}
	for _, id := range []string{ids[0], ids[999], ids[1000], ids[1002]} {
		alone, err := s.Session(ctx, id)
		if err != nil || !reflect.DeepEqual(got[id], alone) {
			t.Errorf("%s is read as %+v among others, and as %+v alone, %v", id, got[id], alone, err)
		}
	}
	for _, none := range [][]string{nil, {"unheard-of"}, {"\x00"}} {
		if got, err := s.SessionsOf(ctx, none); err != nil || len(got) != 0 {
			t.Errorf("of %q: %v, %v", none, got, err)
		}
	}
}

// changesInOrder lists changes by pages: those of sessions alone, with their versions.
func changesInOrder(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	first, second := sell(t, s, "s1", "u", 0), sell(t, s, "s2", "u", 0)
	extend := func(c session.Session, at time.Time) session.Session {
		t.Helper()
		tr, err := session.Apply(c, session.Extend{By: session.Marketplace, Seconds: 9}, at)
		if err != nil {
			t.Fatal(err)
		}
		write(t, s, func(tx *store.Tx) error { return tx.Update(ctx, tr, at) })
		return tr.Session
	}
	first = extend(first, Now.Add(time.Second))
	write(t, s, func(tx *store.Tx) error {
		return tx.AddPageEvents(ctx, second, []store.PageEvent{{Name: "tab.hidden", AtMS: 7, Props: `{"version":99}`}}, eventCaps, Now.Add(time.Second))
	})
	extend(first, Now.Add(2*time.Second))
	extend(second, Now.Add(3*time.Second))
	page := func(from, to time.Duration, after string, limit int) (got []string, last string) {
		t.Helper()
		list, err := s.Changes(ctx, Now.Add(from), Now.Add(to), after, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			got = append(got, fmt.Sprintf("%s/%d", c.SessionID, c.Version))
			last = c.ID
		}
		return got, last
	}
	const minute = time.Minute
	want := []string{"s1/1", "s2/1", "s1/2", "s1/3", "s2/2"}
	all, _ := page(-minute, minute, "", 100)
	slices.Sort(all[:2]) // within one moment, ids of two writes may have either order
	if !slices.Equal(all, want) {
		t.Errorf("changes are %q, want %q", all, want)
	}
	head, last := page(-minute, minute, "", 3)
	tail, _ := page(-minute, minute, last, 100)
	if slices.Sort(head[:2]); !slices.Equal(append(head, tail...), want) {
		t.Errorf("by pages: %q and %q", head, tail)
	}
	if got, _ := page(1500*time.Millisecond, 2500*time.Millisecond, "", 100); !slices.Equal(got, want[3:4]) {
		t.Errorf("of one moment: %q", got)
	}
}
