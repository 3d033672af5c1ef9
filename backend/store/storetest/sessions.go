package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
)

// newSession is a session with everything set that creation can set.
func newSession(t *testing.T, id, user string, tokens int64) session.Transition {
	t.Helper()
	tr, err := session.New(session.Order{
		ID: id, UserID: user, ProviderID: "p", Tokens: tokens, Duration: 60, ReturnURL: "https://m.example/ü?x=1",
		ConsentURL: "https://m.example/c", Terms: session.Terms{
			Settlement: session.Prorated, Pause: &session.Pauses{MaxCount: 1, MaxSeconds: 9},
			Offer: &session.Offer{Seconds: 30, Tokens: 5, MaxCount: 2}, WarningSeconds: []int64{60},
		},
	}, Now)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func insert(s *store.Store, tr session.Transition) error {
	hold, err := ledger.Open(tr.Session.ID, tr.Session.UserID, tr.Session.ProviderID, tr.Hold, Now)
	if err != nil {
		return err
	}
	return s.Write(ctx, func(tx *store.Tx) error {
		if err := tx.Insert(ctx, tr, Now); err != nil {
			return err
		}
		return tx.Post(ctx, hold)
	})
}

func sell(t *testing.T, s *store.Store, id, user string, tokens int64) session.Session {
	t.Helper()
	tr := newSession(t, id, user, tokens)
	if err := insert(s, tr); err != nil {
		t.Fatal(err)
	}
	return tr.Session
}

// settle ends a session as the service does: state, hold and entries at once.
func settle(s *store.Store, id string, e session.Event, now time.Time) error {
	return s.Write(ctx, func(tx *store.Tx) error {
		c, err := tx.Session(ctx, id)
		if err != nil {
			return err
		}
		tr, err := session.Apply(c, e, now)
		if err != nil {
			return err
		}
		if err := tx.Update(ctx, tr, now); err != nil {
			return err
		}
		hold, err := tx.Hold(ctx, id)
		if err != nil {
			return err
		}
		p, err := ledger.Settle(hold, tr.Settlement.Captured, tr.Settlement.Released, now)
		if err != nil {
			return err
		}
		return tx.Post(ctx, p)
	})
}

func same(a, b session.Session) bool {
	return fmt.Sprintf("%+v", flat(a)) == fmt.Sprintf("%+v", flat(b))
}

// flat replaces pointers by what they point to, for comparison.
func flat(s session.Session) any {
	terms := s.Terms
	var pause session.Pauses
	var offer session.Offer
	var end session.Settlement
	if terms.Pause != nil {
		pause = *terms.Pause
	}
	if terms.Offer != nil {
		offer = *terms.Offer
	}
	if s.Settlement != nil {
		end = *s.Settlement
	}
	s.Terms, s.Settlement = session.Terms{Settlement: terms.Settlement, WarningSeconds: terms.WarningSeconds}, nil
	return []any{s, pause, offer, end}
}

func sessionsComeBack(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	credit(t, s, "c", "u", 100)
	want := sell(t, s, "s1", "u", 100)
	got, err := s.Session(ctx, "s1")
	if err != nil || !same(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	if err := settle(s, "s1", session.Complete{By: session.User}, Now.Add(10*time.Second)); err != nil {
		t.Fatal(err)
	}
	if got, err = s.Session(ctx, "s1"); err != nil || got.Status != session.Completed || got.Settlement == nil || got.Settlement.Captured != 17 {
		t.Errorf("ended as %+v, %v", got, err)
	}
	if _, err := s.Session(ctx, "nobody"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown id: %v", err)
	}
}

func staleVersion(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	credit(t, s, "c", "u", 100)
	old := sell(t, s, "s1", "u", 100)
	if err := settle(s, "s1", session.Complete{By: session.User}, Now); err != nil {
		t.Fatal(err)
	}
	tr, err := session.Apply(old, session.Launch{RedemptionID: "r"}, Now)
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	trying, giveUp := context.WithTimeout(ctx, time.Minute)
	defer giveUp()
	err = s.Write(trying, func(tx *store.Tx) error {
		if tries++; tries == 3 {
			giveUp()
		}
		return tx.Update(trying, tr, Now)
	})
	if err == nil || tries != 3 {
		t.Errorf("a stale version was written, or not tried again: %v after %d tries", err, tries)
	}
}

func failedWrite(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	credit(t, s, "c", "u", 10)
	if err := insert(s, newSession(t, "s1", "u", 11)); !errors.Is(err, ledger.ErrInsufficient) {
		t.Errorf("holding too much: %v", err)
	}
	if err := insert(s, newSession(t, "s2", "stranger", 1)); !errors.Is(err, ledger.ErrInsufficient) {
		t.Errorf("holding of a stranger: %v", err)
	}
	for _, id := range []string{"s1", "s2"} {
		if _, err := s.Session(ctx, id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the session of a failed hold: %v", err)
		}
	}
	if b, err := s.Balance(ctx, "u"); err != nil || b != (ledger.Balance{Posted: 10}) {
		t.Errorf("balance is %+v, %v", b, err)
	}
}

func listsPage(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	credit(t, s, "c", "u", 100)
	credit(t, s, "d", "v", 100)
	for i := range 7 {
		sell(t, s, fmt.Sprintf("01a2-%d", i), []string{"u", "v"}[i%2], 1)
	}
	var got []string
	f := store.SessionFilter{Limit: 2}
	for {
		page, err := s.Sessions(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, x := range page {
			got = append(got, x.ID)
		}
		f.Before = page[len(page)-1].ID
	}
	want := []string{"01a2-6", "01a2-5", "01a2-4", "01a2-3", "01a2-2", "01a2-1", "01a2-0"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	for want, f := range map[int]store.SessionFilter{
		4: {UserID: "u", ProviderID: "p", Limit: 9}, 3: {UserID: "v", Limit: 9}, 0: {ProviderID: "q", Limit: 9},
		7: {MarketplaceID: "mkt_default", Status: session.Active, Limit: 9},
	} {
		if page, err := s.Sessions(ctx, f); err != nil || len(page) != want {
			t.Errorf("%+v lists %d (%v), want %d", f, len(page), err, want)
		}
	}
}

func deadlines(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	if due, err := s.NextDue(ctx); due != 0 || err != nil {
		t.Errorf("nothing is due at %d (%v)", due, err)
	}
	for i, seconds := range []int64{29, 10, 20} {
		tr, err := session.New(session.Order{ID: fmt.Sprint("s", i), UserID: "u", ProviderID: "p", Duration: seconds}, Now)
		if err != nil {
			t.Fatal(err)
		}
		if err := insert(s, tr); err != nil {
			t.Fatal(err)
		}
	}
	if due, err := s.NextDue(ctx); due != Now.Unix()+10 || err != nil {
		t.Errorf("next due at %d (%v)", due, err)
	}
	if ids, err := s.Due(ctx, Now.Add(25*time.Second), 9); err != nil || !slices.Equal(ids, []string{"s1", "s2"}) {
		t.Errorf("due are %v (%v)", ids, err)
	}
	if err := settle(s, "s1", session.Tick{}, Now.Add(10*time.Second)); err != nil {
		t.Fatal(err)
	}
	if due, err := s.NextDue(ctx); due != Now.Unix()+20 || err != nil {
		t.Errorf("then due at %d (%v)", due, err)
	}
}

func heartbeats(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	sell(t, s, "s1", "u", 0)
	write(t, s, func(tx *store.Tx) error {
		return tx.AddBeats(ctx, []store.Beats{{SessionID: "s1", LastAt: 50, Count: 2, Active: 1}, {SessionID: "gone", LastAt: 1, Count: 1}})
	})
	write(t, s, func(tx *store.Tx) error {
		return tx.AddBeats(ctx, []store.Beats{{SessionID: "s1", LastAt: 40, Count: 3}})
	})
	want := store.Beats{SessionID: "s1", LastAt: 50, Count: 5, Active: 1}
	if got, err := s.Beats(ctx, "s1"); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := s.Beats(ctx, "gone"); err != nil || got.Count != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func eventsAndExtensions(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	c := sell(t, s, "s1", "u", 0)
	tr, err := session.Apply(c, session.Extend{By: session.Marketplace, Seconds: 9}, Now)
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, func(tx *store.Tx) error {
		if err := tx.Update(ctx, tr, Now); err != nil {
			return err
		}
		return tx.AddPageEvents(ctx, c, []store.PageEvent{{Name: "tab.hidden", AtMS: 7, Props: `{"a":"\u0000"}`}}, eventCaps, Now)
	})
	list, err := s.Extensions(ctx, "s1", 0, 10)
	if err != nil || len(list) != 1 || list[0].Seconds != 9 || list[0].At != Now.Unix() {
		t.Errorf("got %+v, %v", list, err)
	}
	if n, err := s.PageEventCount(ctx, "s1"); err != nil || n != 1 {
		t.Errorf("%d page events, %v", n, err)
	}
}
