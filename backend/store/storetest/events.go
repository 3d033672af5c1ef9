package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
)

// eventCaps are far beyond what most tests report.
var eventCaps = store.EventCaps{SessionEvents: 1e6, SessionBytes: 1 << 30, SessionNames: 1e4, DayEvents: 1e6, DayBytes: 1 << 30}

func pageEventCounts(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	first, second := sell(t, s, "s1", "u", 0), sell(t, s, "s2", "u", 0)
	name := func(n int) string { return fmt.Sprintf("made_up_%03d", n) }
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(
			tx.AddPageEvents(ctx, first, []store.PageEvent{{Name: "view", Props: "{}"}, {Name: "view", Props: "{}"}, {Name: "click", Props: "{}"}}, eventCaps, Now),
			tx.AddPageEvents(ctx, first, []store.PageEvent{{Name: "view", Props: "{}"}}, eventCaps, Now),
			tx.AddPageEvents(ctx, second, []store.PageEvent{{Name: "view", Props: "{}"}}, eventCaps, Now.Add(24*time.Hour)),
		)
	})
	today := Now.Unix() / 86400
	want := []store.EventDay{{Day: today, Name: "view", Events: 3, Sessions: 1}, {Day: today, Name: "click", Events: 1, Sessions: 1}, {Day: today + 1, Name: "view", Events: 1, Sessions: 1}}
	if got, err := s.EventDays(ctx, "p", today, today+1); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	// A page that makes names up does not grow the roll-up without end.
	var many []store.PageEvent
	for i := range 510 {
		many = append(many, store.PageEvent{Name: name(i), Props: "{}"})
	}
	write(t, s, func(tx *store.Tx) error { return tx.AddPageEvents(ctx, second, many, eventCaps, Now) })
	got, err := s.EventDays(ctx, "p", today, today)
	if err != nil || len(got) != 501 || got[0] != (store.EventDay{Day: today, Name: "(other)", Events: 12, Sessions: 12}) {
		t.Errorf("%d names, the first %+v, %v", len(got), got[0], err)
	}
}

// report records events of one name each, and returns the error of the transaction.
func report(s *store.Store, c session.Session, caps store.EventCaps, now time.Time, names ...string) error {
	list := make([]store.PageEvent, 0, len(names))
	for _, name := range names {
		list = append(list, store.PageEvent{Name: name, AtMS: 1, Props: "{}"})
	}
	return s.Write(ctx, func(tx *store.Tx) error { return tx.AddPageEvents(ctx, c, list, caps, now) })
}

// wantFull fails the test unless err says that a cap is reached.
func wantFull(t *testing.T, err error, bound store.EventBound) {
	t.Helper()
	full, ok := errors.AsType[*store.EventsFullError](err)
	if !ok || full.Bound != bound {
		t.Errorf("got %v, want too many %s", err, bound)
	}
}

// A session and a provider's day take so many events, bytes and names. A batch that does
// not fit leaves nothing, and other sessions are not concerned.
func pageEventsAreBounded(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	addProvider(t, s, "q")
	greedy, other := sell(t, s, "s1", "u", 0), sell(t, s, "s2", "u", 0)
	caps := store.EventCaps{SessionEvents: 10, SessionBytes: 1000, SessionNames: 3, DayEvents: 14, DayBytes: 10_000}
	count := func(id string, want int64) {
		t.Helper()
		if n, err := s.PageEventCount(ctx, id); err != nil || n != want {
			t.Errorf("%s has %d events, %v, want %d", id, n, err, want)
		}
	}
	if err := report(s, greedy, caps, Now, "a", "b", "a", "c"); err != nil {
		t.Fatal(err)
	}
	wantFull(t, report(s, greedy, caps, Now, "a", "d"), store.SessionNames)
	if err := s.CheckPageEvents(ctx, greedy, []store.PageEvent{{Name: "d", Props: "{}"}}, caps, Now); err == nil {
		t.Error("a further name passes the check before the transaction")
	}
	if err := report(s, greedy, caps, Now, "c", "b", "a", "c", "b"); err != nil { // known names go on
		t.Fatal(err)
	}
	wantFull(t, report(s, greedy, caps, Now, "a", "a"), store.SessionEvents)
	if err := report(s, greedy, caps, Now, "a"); err != nil { // the last one that fits
		t.Fatal(err)
	}
	wantFull(t, report(s, greedy, caps, Now, "a"), store.SessionEvents)
	count("s1", 10)

	// The other session has its own caps, and shares the provider's day.
	if err := report(s, other, caps, Now, "z", "z", "z"); err != nil {
		t.Fatal(err)
	}
	wantFull(t, report(s, other, caps, Now, "z", "z"), store.DayEvents)
	count("s2", 3)
	if err := report(s, other, caps, Now.Add(24*time.Hour), "z", "z"); err != nil {
		t.Errorf("the next day: %v", err)
	}
	// A first batch that is too large is refused like a later one.
	large := sell(t, s, "s3", "u", 0)
	wantFull(t, report(s, large, caps, Now.Add(48*time.Hour), strings.Split(strings.Repeat("a,", 10)+"a", ",")...), store.SessionEvents)
	huge := store.PageEvent{Name: "a", Props: `{"a":"` + strings.Repeat("x", 1000) + `"}`}
	wantFull(t, s.Write(ctx, func(tx *store.Tx) error {
		return tx.AddPageEvents(ctx, large, []store.PageEvent{huge}, caps, Now)
	}), store.SessionEvents)
	count("s3", 0)

	today := Now.Unix() / 86400
	got, err := s.EventDays(ctx, "p", today, today)
	want := []store.EventDay{{Day: today, Name: "a", Events: 4, Sessions: 1}, {Day: today, Name: "b", Events: 3, Sessions: 1}, {Day: today, Name: "c", Events: 3, Sessions: 1}, {Day: today, Name: "z", Events: 3, Sessions: 1}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Writers that report at once cannot pass the caps together.
func parallelPageEvents(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	c := sell(t, s, "s1", "u", 0)
	caps := eventCaps
	caps.SessionEvents, caps.SessionNames = 40, 20
	results := make(chan error, 64)
	for i := range cap(results) {
		go func() { results <- report(s, c, caps, Now, fmt.Sprint("n", i%32), fmt.Sprint("n", i%32)) }()
	}
	for range cap(results) {
		err := <-results
		if _, full := errors.AsType[*store.EventsFullError](err); err != nil && !full {
			t.Error(err)
		}
	}
	n, err := s.PageEventCount(ctx, "s1")
	if err != nil || n != 40 {
		t.Errorf("%d events are recorded, %v, want 40", n, err)
	}
	days, err := s.EventDays(ctx, "p", 0, Now.Unix())
	if err != nil || len(days) > 20 {
		t.Errorf("%d names, %v", len(days), err)
	}
}

// Old page events, and what counts them, are removed; the session's own events stay.
func pageEventsAreForgotten(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	c := sell(t, s, "s1", "u", 0)
	for _, at := range []time.Time{Now, Now.Add(24 * time.Hour)} {
		if err := report(s, c, eventCaps, at, strings.Split(strings.Repeat("a,b,", 300)+"c", ",")...); err != nil {
			t.Fatal(err)
		}
	}
	today := Now.Unix() / 86400
	if err := s.ForgetPageEvents(ctx, Now.Add(12*time.Hour), today+1); err != nil {
		t.Fatal(err)
	}
	if n, err := s.PageEventCount(ctx, "s1"); err != nil || n != 601 {
		t.Errorf("%d events are left, %v, want those of the second day", n, err)
	}
	if days, err := s.EventDays(ctx, "p", today, today+1); err != nil || len(days) != 3 || days[0].Day != today+1 {
		t.Errorf("days left: %+v, %v", days, err)
	}
	caps := eventCaps
	caps.SessionEvents = 1202
	wantFull(t, report(s, c, caps, Now.Add(25*time.Hour), "a"), store.SessionEvents) // the count stays while events come
	if err := s.ForgetPageEvents(ctx, Now.Add(48*time.Hour), today+2); err != nil {
		t.Fatal(err)
	}
	if n, err := s.PageEventCount(ctx, "s1"); err != nil || n != 0 {
		t.Errorf("%d events are left, %v", n, err)
	}
	if own, err := s.EventsOfSession(ctx, "s1", store.FromSession, 10); err != nil || len(own) == 0 {
		t.Errorf("the session's own events: %v, %v", own, err)
	}
}

// A delivery that is replayed again and again keeps its newest attempts.
func attemptsAreBounded(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(
			tx.InsertWebhook(ctx, store.Webhook{ID: "w", ProviderID: "p", URL: "https://example.com/", Secret: "s"}, Now),
			tx.InsertDelivery(ctx, store.Delivery{ID: "d", WebhookID: "w", MessageID: "m", Type: "x", Payload: "{}", NextAtMS: 1, CreatedMS: 1}),
		)
	})
	for i := range int64(40) {
		var d store.Delivery
		write(t, s, func(tx *store.Tx) (err error) {
			d, err = tx.ClaimDelivery(ctx, "d", time.UnixMilli(1000+i))
			return err
		})
		write(t, s, func(tx *store.Tx) error {
			lease := d.NextAtMS
			d.Status, d.NextAtMS = "pending", 5000+i
			done, err := tx.FinishDelivery(ctx, d, store.Attempt{DeliveryID: "d", Attempt: i + 1, Status: 500}, lease)
			if err == nil && !done {
				err = errors.New("the lease is another's")
			}
			return err
		})
	}
	list, err := s.Attempts(ctx, "d")
	if err != nil || len(list) != 30 || list[0].Attempt != 40 || list[29].Attempt != 11 {
		t.Errorf("%d attempts are kept, %v", len(list), err)
	}
}
