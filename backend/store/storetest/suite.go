package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/domain"
	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
)

// Now is the suite's moment.
var Now = time.Unix(1_800_000_000, 0)

// Run runs the suite that every engine must pass. open returns an empty store.
func Run(t *testing.T, open func(t *testing.T) *store.Store) {
	for name, test := range map[string]func(*testing.T, *store.Store){
		"sessions come back as written":       sessionsComeBack,
		"a stale version is not written":      staleVersion,
		"a failed write leaves nothing":       failedWrite,
		"lists page without gaps":             listsPage,
		"deadlines are found in order":        deadlines,
		"providers and domains":               providers,
		"claims to domains":                   claims,
		"API keys":                            apiKeys,
		"keys and links page":                 keysPage,
		"webhooks and edges page":             otherListsPage,
		"messages of an erased user":          messagesRewritten,
		"heartbeats add up":                   heartbeats,
		"events and extensions":               eventsAndExtensions,
		"many sessions are read at once":      manySessions,
		"changes are listed in order":         changesInOrder,
		"page events are counted":             pageEventCounts,
		"page events are bounded":             pageEventsAreBounded,
		"page events in parallel":             parallelPageEvents,
		"old page events are forgotten":       pageEventsAreForgotten,
		"attempts of a delivery are bounded":  attemptsAreBounded,
		"people and their sign-ins":           peopleAndSignIns,
		"idempotency keys":                    idempotencyKeys,
		"ledger entries page and audit":       ledgerEntries,
		"webhooks are told what they want":    webhooks,
		"a delivery is claimed once":          parallelClaims,
		"a backlog is changed in batches":     backlogInBatches,
		"clocks that are set":                 clocksThatAreSet,
		"figures after a clock was ahead":     rollupAfterAClockAhead,
		"each filter of sessions":             listsOfEachFilter,
		"marketplaces are apart":              marketplacesApart,
		"changes of guests":                   guestChanges,
		"20 holds of 75 on 500 grant 6":       parallelHolds,
		"a hold is captured once":             parallelCaptures,
		"one key has one effect":              parallelOnce,
		"money under random writers balances": randomWriters,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			test(t, s)
			if err := s.Audit(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

var ctx = context.Background()

func write(t *testing.T, s *store.Store, f func(*store.Tx) error) {
	t.Helper()
	if err := s.Write(ctx, f); err != nil {
		t.Fatal(err)
	}
}

func addProvider(t *testing.T, s *store.Store, id string, domains ...string) {
	t.Helper()
	write(t, s, func(tx *store.Tx) error {
		vouched := func(string) domain.State { return domain.Vouched }
		return tx.InsertProvider(ctx, store.Provider{ID: id, Name: id, Domains: domains, NewClaim: vouched}, Now)
	})
}

func credit(t *testing.T, s *store.Store, id, user string, amount int64) {
	t.Helper()
	p, err := ledger.Credit(id, user, amount, Now)
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, func(tx *store.Tx) error { return tx.Post(ctx, p) })
}

func idempotencyKeys(t *testing.T, s *store.Store) {
	once := func(scope, key, hash string, at time.Time) (answer string, fresh bool, err error) {
		err = s.Write(ctx, func(tx *store.Tx) error {
			if answer, fresh, err = tx.Once(ctx, scope, key, hash, at); err != nil || !fresh {
				return err
			}
			return tx.Remember(ctx, scope, key, "answer at "+fmt.Sprint(at.Unix()))
		})
		return answer, fresh, err
	}
	if _, fresh, err := once("a", "k", "h", Now); !fresh || err != nil {
		t.Errorf("the first is fresh %v, %v", fresh, err)
	}
	if answer, fresh, err := once("a", "k", "h", Now.Add(time.Hour)); fresh || answer != "answer at 1800000000" || err != nil {
		t.Errorf("again: %q, %v, %v", answer, fresh, err)
	}
	if _, _, err := once("a", "k", "other", Now); !errors.Is(err, store.ErrKeyReused) {
		t.Errorf("another request: %v", err)
	}
	if _, fresh, err := once("b", "k", "other", Now); !fresh || err != nil {
		t.Errorf("another scope is fresh %v, %v", fresh, err)
	}
	if _, fresh, err := once("a", "k", "other", Now.Add(25*time.Hour)); !fresh || err != nil {
		t.Errorf("a day later it is fresh %v, %v", fresh, err)
	}
	if n, err := s.ForgetAnswers(ctx, Now.Add(26*time.Hour)); n != 1 || err != nil { // b's; a's was renewed
		t.Errorf("forgot %d answers, want 1: %v", n, err)
	}
}

func ledgerEntries(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	credit(t, s, "c1", "u", 100)
	credit(t, s, "c2", "u", 100)
	credit(t, s, "c3", "other", 100)
	sell(t, s, "s1", "u", 60)
	if err := settle(s, "s1", session.Complete{By: session.User}, Now.Add(30*time.Second)); err != nil {
		t.Fatal(err)
	}
	f := store.EntryFilter{UserID: "u", Limit: 2}
	var kinds []ledger.Kind
	for {
		page, err := s.Entries(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			kinds = append(kinds, e.Kind)
		}
		f.BeforeUS, f.BeforeID = page[len(page)-1].At, page[len(page)-1].ID
	}
	want := []ledger.Kind{ledger.KindRelease, ledger.KindCapture, ledger.KindHold, ledger.KindCredit, ledger.KindCredit}
	if !slices.Equal(kinds, want) {
		t.Errorf("got %v", kinds)
	}
	if page, err := s.Entries(ctx, store.EntryFilter{UserID: "u", SessionID: "s1", Limit: 9}); err != nil || len(page) != 3 {
		t.Errorf("the session has %d entries, %v", len(page), err)
	}
}
