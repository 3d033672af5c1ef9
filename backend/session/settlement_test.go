package session

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

func entered(o *Order) { o.Terms.Pause = &Pauses{MaxCount: 1000, MaxSeconds: 1000} }

// enter is the entry of a session at a moment.
func enter(t *testing.T, s Session, at float64) Session {
	t.Helper()
	return run(t, s, at, Launch{RedemptionID: "r"})
}

// The end of a session gives back what was not used of each purchase, at its price.
func TestEachPurchaseIsSettledAtItsOwnPrice(t *testing.T) {
	t.Parallel()
	sale := func(tokens, seconds int64) func(*Order) {
		return func(o *Order) {
			o.Tokens, o.Duration = tokens, seconds
			o.Terms.Offer = &Offer{Seconds: 3600, Tokens: 1, MaxCount: 3}
		}
	}
	more := func(seconds, tokens int64) Extend { return Extend{By: Marketplace, Seconds: seconds, Tokens: tokens} }
	for name, c := range map[string]struct {
		order func(*Order)
		steps []any
		want  Settlement
		each  []int64 // captured of each purchase
	}{
		"cheap extension just before the end": {sale(100, 10), []any{8.0, Extend{By: User}, 8.7, Complete{By: User}}, Settlement{90, 11, 9}, []int64{90, 0}},
		"goodwill for nothing":                {sale(100, 10), []any{7.0, more(600, 0), 7.7, Complete{By: User}}, Settlement{80, 20, 8}, []int64{80, 0}},
		"a dear extension is not used":        {sale(10, 100), []any{7.0, more(10, 900), 50.0, Complete{By: User}}, Settlement{5, 905, 50}, []int64{5, 0}},
		"a dear extension is begun":           {sale(10, 100), []any{7.0, more(10, 900), 102.7, Complete{By: User}}, Settlement{280, 630, 103}, []int64{10, 270}},
		"goodwill between two purchases": {sale(10, 10), []any{1.0, more(10, 0), 2.0, more(10, 40), 25.0, Complete{By: Marketplace}},
			Settlement{30, 20, 25}, []int64{10, 0, 20}},
		"goodwill before a purchase that is not reached": {sale(10, 10), []any{1.0, more(10, 0), 2.0, more(10, 40), 15.0, Complete{By: Marketplace}},
			Settlement{10, 40, 15}, []int64{10, 0, 0}},
		"revoked with a prorated refund": {sale(100, 10), []any{8.0, Extend{By: User}, 8.7, Revoke{Refund: RefundProrated}}, Settlement{90, 11, 9}, []int64{90, 0}},
		"revoked with a full refund":     {sale(100, 10), []any{8.0, Extend{By: User}, 8.7, Revoke{Refund: RefundFull}}, Settlement{0, 101, 9}, []int64{0, 0}},
		"revoked with no refund":         {sale(100, 10), []any{8.0, Extend{By: User}, 8.7, Revoke{Refund: RefundNone}}, Settlement{101, 0, 9}, []int64{100, 1}},
		"the whole of it":                {sale(100, 10), []any{8.0, more(5, 7), 15.5, Tick{}}, Settlement{107, 0, 15}, []int64{100, 7}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := run(t, enter(t, newSession(t, c.order), 0), c.steps...)
			if s.Settlement == nil || *s.Settlement != c.want {
				t.Fatalf("got %+v, want %+v", s.Settlement, c.want)
			}
			var each []int64
			var sum Settlement
			for _, p := range s.Purchases {
				each = append(each, p.Captured)
				sum = Settlement{sum.Captured + p.Captured, sum.Released + p.Released, sum.UsedSeconds + p.UsedSeconds}
			}
			if !reflect.DeepEqual(each, c.each) || sum != c.want {
				t.Errorf("the purchases captured %v, want %v; in all %+v", each, c.each, sum)
			}
		})
	}
}

// Many short pauses add up to what they are.
func TestShortPausesGiveNothingAway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		use, pause float64 // seconds, in turns
		turns      int
		offset     time.Duration // of the sale, into a second
		want       int64         // seconds billed
	}{
		"thirty pauses of 0.24 s":           {1, 0.24, 30, 0, 30},
		"the same, half a second later":     {1, 0.24, 30, 500 * time.Millisecond, 30},
		"pauses across each whole second":   {0.99, 0.02, 40, 990 * time.Millisecond, 40},
		"use only between whole seconds":    {0.9, 0.1, 50, 50 * time.Millisecond, 45},
		"a hundred pauses of a millisecond": {0.1, 0.001, 100, 0, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Unix(1_800_000_000, 0).Add(c.offset)
			tr, err := New(Order{ID: "s", UserID: "u", ProviderID: "p", Tokens: 600, Duration: 600,
				Terms: Terms{Settlement: Prorated, Pause: &Pauses{MaxCount: 1000, MaxSeconds: 1000}}}, start)
			if err != nil {
				t.Fatal(err)
			}
			s, at := tr.Session, 0.0
			step := func(e Event, after float64) {
				t.Helper()
				at += after
				tr, err := Apply(s, e, start.Add(time.Duration(at*1e9)).Round(time.Microsecond))
				if err != nil {
					t.Fatal(err)
				}
				s = tr.Session
			}
			step(Launch{RedemptionID: "r"}, 0)
			for range c.turns {
				step(Pause{}, c.use)
				step(Resume{}, c.pause)
			}
			step(Complete{By: User}, 0)
			if s.Settlement.UsedSeconds != c.want || s.Settlement.Captured != c.want {
				t.Errorf("%.1f s of use are billed as %+v, want %d s", c.use*float64(c.turns), *s.Settlement, c.want)
			}
		})
	}
}

// Whoever entered pays for one second, however short the visit.
func TestShortVisitsAreBilled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		order func(*Order)
		steps []any
		want  Settlement
	}{
		"ended before the clock's first second": {nil, []any{0.0, Launch{RedemptionID: "r"}, 0.4, Complete{By: User}}, Settlement{2, 98, 1}},
		"paused before the clock's first second": {entered, []any{0.0, Launch{RedemptionID: "r"}, 0.4, Pause{}, 9.0, Complete{By: User}},
			Settlement{2, 98, 1}},
		"revoked before the clock's first second": {nil, []any{0.1, Launch{RedemptionID: "r"}, 0.4, Revoke{Refund: RefundProrated}}, Settlement{2, 98, 1}},
		"clock at launch":                         {launch, []any{7.1, Launch{RedemptionID: "r"}, 7.4, Complete{By: User}}, Settlement{2, 98, 1}},
		"where no edge redeems":                   {nil, []any{0.1, Enter{}, 0.3, Complete{By: User}}, Settlement{2, 98, 1}},
		"nobody entered":                          {nil, []any{0.3, Complete{By: Marketplace}}, Settlement{0, 100, 0}},
		"nobody entered for a day":                {func(o *Order) { o.Duration = 100_000 }, []any{50_000.0, Complete{By: Marketplace}}, Settlement{50, 50, 50_000}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := run(t, newSession(t, c.order), c.steps...)
			if s.Settlement == nil || *s.Settlement != c.want {
				t.Errorf("got %+v, want %+v", s.Settlement, c.want)
			}
		})
	}
}

// A session that nobody entered costs what its order said at the sale.
func TestUnenteredSessionsEndAsSold(t *testing.T) {
	t.Parallel()
	released := func(o *Order) { o.Terms.Unentered = ReleaseUnentered }
	captured := func(o *Order) { o.Terms.Unentered = CaptureUnentered }
	full := func(o *Order) { o.Terms.Settlement = Full; released(o) }
	for name, c := range map[string]struct {
		order  func(*Order)
		steps  []any
		status Status
		want   Settlement
	}{
		"captured, deadline":          {captured, []any{60.5, Tick{}}, Expired, Settlement{100, 0, 60}},
		"not said, deadline":          {nil, []any{60.5, Tick{}}, Expired, Settlement{100, 0, 60}},
		"captured, completed":         {captured, []any{30.0, Complete{By: Marketplace}}, Completed, Settlement{50, 50, 30}},
		"released, deadline":          {released, []any{60.5, Tick{}}, Canceled, Settlement{0, 100, 0}},
		"released, extended":          {released, []any{1.0, Extend{By: Marketplace, Seconds: 60, Tokens: 11}, 120.5, Tick{}}, Canceled, Settlement{0, 111, 0}},
		"released, completed":         {released, []any{30.0, Complete{By: Marketplace}}, Canceled, Settlement{0, 100, 0}},
		"released, full, completed":   {full, []any{30.0, Complete{By: Marketplace}}, Canceled, Settlement{0, 100, 0}},
		"released, revoked":           {released, []any{30.0, Revoke{Refund: RefundNone}}, Revoked, Settlement{0, 100, 0}},
		"released, but entered":       {released, []any{59.0, Launch{RedemptionID: "r"}, 60.5, Tick{}}, Expired, Settlement{100, 0, 60}},
		"released, entered elsewhere": {released, []any{29.0, Enter{}, 30.0, Complete{By: User}}, Completed, Settlement{50, 50, 30}},
		"clock at launch, revoked":    {launch, []any{5.0, Revoke{Refund: RefundNone}}, Revoked, Settlement{0, 100, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := run(t, newSession(t, c.order), c.steps...)
			if s.Status != c.status || s.Settlement == nil || *s.Settlement != c.want {
				t.Errorf("got %s %+v, want %s %+v", s.Status, s.Settlement, c.status, c.want)
			}
		})
	}
	o := Order{ID: "s", UserID: "u", ProviderID: "p", Duration: 1, Clock: AtLaunch, Terms: Terms{Unentered: CaptureUnentered}}
	if _, err := New(o, t0); !errors.Is(err, ErrTerms) {
		t.Errorf("a session that is canceled was sold as captured: %v", err)
	}
	o.Clock, o.Terms.Unentered = "", "half"
	if _, err := New(o, t0); !errors.Is(err, ErrTerms) {
		t.Errorf("an unknown choice: %v", err)
	}
}

// What an edge served before it could redeem the launch is used time.
func TestTimeServedBeforeTheRedemptionCounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		served float64 // seconds before the redemption at 50 s
		want   int64   // used at 52 s
	}{
		"nothing": {0, 2}, "ten seconds": {10, 12}, "a fraction": {10.7, 13}, "since before the sale": {400, 53}, "less than nothing": {-5, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := run(t, newSession(t, launch), 50.0, Launch{RedemptionID: "r", Served: time.Duration(c.served * 1e9)}, 52.0, Complete{By: User})
			if s.Settlement.UsedSeconds != c.want {
				t.Errorf("used %d s, want %d", s.Settlement.UsedSeconds, c.want)
			}
		})
	}
	// A clock that has run since the sale is not moved.
	s := run(t, newSession(t, nil), 50.0, Launch{RedemptionID: "r", Served: 20 * time.Second})
	if s.StartedAt != 1_800_000_001 || s.EnteredAt == 0 {
		t.Errorf("got %+v", s)
	}
	// A new link to a paused session was open during the pause: use, up to the deadline.
	for _, c := range []struct {
		served float64
		want   int64
	}{{0, 10}, {4.2, 14}, {300, 20}, {-3, 10}} {
		s = run(t, newSession(t, nil), 0.0, Launch{RedemptionID: "r"}, 10.0, Pause{}, 11.0, Relaunch{},
			20.0, Launch{RedemptionID: "s", Link: 1, Served: time.Duration(c.served * 1e9)}, 21.0, Complete{By: User})
		if s.Settlement.UsedSeconds != c.want {
			t.Errorf("served %v s of a pause: used %d s, want %d", c.served, s.Settlement.UsedSeconds, c.want)
		}
	}
	// It may have run out.
	s = run(t, newSession(t, launch), 90.0, Launch{RedemptionID: "r", Served: 70 * time.Second}, 90.0, Tick{})
	if s.Status != Expired || s.Settlement.Captured != 100 {
		t.Errorf("got %s %+v", s.Status, s.Settlement)
	}
}

// An edge that lost the answer to a redemption, and then the service for minutes, repeats
// the redemption for the visitor whom it serves. Nobody else may.
func TestRedemptionIsRepeatedAfterAnOutage(t *testing.T) {
	t.Parallel()
	s := run(t, newSession(t, func(o *Order) { o.Duration = 3600 }), 1.0, Launch{RedemptionID: "r"})
	again := func(e Launch) error {
		tr, err := Apply(s, e, after(301))
		if err == nil && !tr.Unchanged {
			t.Errorf("repeated as %+v", tr)
		}
		return err
	}
	if err := again(Launch{RedemptionID: "r", Served: 298 * time.Second}); err != nil {
		t.Errorf("served since: %v", err)
	}
	for name, e := range map[string]Launch{
		"later": {RedemptionID: "r"}, "much later": {RedemptionID: "r", Served: 100 * time.Second}, "another": {RedemptionID: "s", Served: 298 * time.Second},
	} {
		if err := again(e); !errors.Is(err, ErrSpent) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A session's record has a bound, and the settlement is the same within it.
func TestEqualExtensionsAreKeptAsOne(t *testing.T) {
	t.Parallel()
	s := enter(t, newSession(t, func(o *Order) { o.Tokens, o.Duration = 3, 1000 }), 0)
	const times = 1000
	for i := range times {
		s = run(t, s, 1+float64(i)/1000, Extend{By: Marketplace, Seconds: 60, Tokens: 7})
	}
	if len(s.Purchases) != MaxSinglePurchases || s.Purchases[MaxSinglePurchases-1].Count != times-MaxSinglePurchases+2 || !s.Bought(s.Purchases) {
		t.Fatalf("%d purchases, the last %+v", len(s.Purchases), s.Purchases[len(s.Purchases)-1])
	}
	for _, used := range []int64{999, 1001, 1060, 1061, 30_000, 60_999, 61_000} {
		var want int64
		if used >= 1000 {
			want = 3 + (used-1000)/60*7 + ceilDiv(7, (used-1000)%60, 60)
		} else {
			want = ceilDiv(3, used, 1000)
		}
		c := s
		if got := c.settle(RefundProrated, used); got.Captured != want || got.Captured+got.Released != s.Tokens {
			t.Errorf("%d s: %+v, want %d captured", used, got, want)
		}
	}
	for i := int64(0); ; i++ {
		tr, err := Apply(s, Extend{By: Marketplace, Seconds: 1 + i%2, Tokens: 1}, after(3))
		if errors.Is(err, ErrPurchases) && len(s.Purchases) == MaxPurchases {
			return
		}
		if err != nil || len(tr.Session.Purchases) > MaxPurchases {
			t.Fatalf("%d purchases: %v", len(s.Purchases), err)
		}
		s = tr.Session
	}
}

// Sessions that were stored without their purchases have them again.
func TestRestoredPurchases(t *testing.T) {
	t.Parallel()
	bought := []Purchase{{By: User, Seconds: 30, Tokens: 5, At: 7}, {By: Marketplace, Seconds: 60, Tokens: 0, At: 9}}
	s := Session{Tokens: 105, Duration: 190, CreatedAt: 3}
	s.Restore(bought)
	want := []Purchase{{By: Marketplace, Seconds: 100, Tokens: 100, At: 3}, bought[0], bought[1]}
	if !reflect.DeepEqual(s.Purchases, want) {
		t.Errorf("got %+v, want %+v", s.Purchases, want)
	}
	// One that was settled at the blended rate keeps its total.
	s.Settlement = &Settlement{Captured: 101, Released: 4, UsedSeconds: 120}
	s.Restore(bought)
	var captured, released, used int64
	for _, p := range s.Purchases {
		captured, released, used = captured+p.Captured, released+p.Released, used+p.UsedSeconds
		if p.Captured+p.Released != p.Tokens || p.UsedSeconds > p.Seconds {
			t.Errorf("settled as %+v", p)
		}
	}
	if captured != 101 || released != 4 || used != 120 {
		t.Errorf("settled as %+v", s.Purchases)
	}
}
