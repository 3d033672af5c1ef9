package edge

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// Providers leave the set an hour after their last site, session or request.
func TestProvidersLeaveTheSet(t *testing.T) {
	t.Parallel()
	i := newInterest()
	hour := interestIdle.Milliseconds()
	at := func(now int64) func() int64 { return func() int64 { return now } }
	i.add("looked up", 0)
	i.add("in use", 0)
	i.add("held", 0)
	one, two := i.site("two sites", at(0)), i.site("two sites", at(0))
	reloaded := i.site("site", at(0))
	check := func(now int64, held map[string]bool, want ...string) *coverage {
		t.Helper()
		w := i.wanted(now, func() map[string]bool { return held })
		if got := slices.Sorted(maps.Keys(w.providers)); !slices.Equal(got, want) {
			t.Errorf("at %d: %v, want %v", now, got, want)
		}
		return (*coverage)(nil).followedBy(w, now)
	}
	holds := map[string]bool{"held": true}
	c := check(hour, holds, "held", "in use", "looked up", "site", "two sites")
	c.use("in use")
	check(hour+1, holds, "held", "in use", "site", "two sites")
	one() // one of two sites was deleted
	reloaded()
	again := i.site("site", at(hour+1)) // and another was configured anew
	check(2*hour+2, holds, "held", "site", "two sites")
	again()
	two()
	two() // no more than once
	check(2*hour+3, nil, "held", "site", "two sites")
	check(3*hour+3, nil)
	if list := i.wanted(3*hour+3, nil).list(); !slices.Equal(list, []string{nobody}) {
		t.Errorf("an edge without providers asks for %v", list)
	}
	for _, id := range []string{"", strings.Repeat("x", protocol.MaxProviderID+1)} {
		i.add(id, 0)
		i.site(id, at(0))()
	}
	if len(i.providers) > 0 {
		t.Errorf("no ids of providers: %v", i.providers)
	}
}

// What is current depends on which providers the stream covers, and since when.
func TestFreshnessFollowsCoverage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		coverage  *coverage
		reset     int64
		connected bool
		heard     int64 // ms ago
		confirmed int64 // ms ago
		want      bool
	}{
		"covered, and confirmed since":             {coverage: coveredFor(1000), connected: true, confirmed: 500, want: true},
		"covered, but confirmed before":            {coverage: coveredFor(1000), connected: true, confirmed: 1500},
		"covered long ago":                         {coverage: coveredFor(90_000), connected: true, confirmed: 80_000, want: true},
		"not covered":                              {coverage: &coverage{}, connected: true, confirmed: 1},
		"all":                                      {coverage: &coverage{all: true, allSince: MonotonicMS() - 1000}, connected: true, confirmed: 500, want: true},
		"all, but confirmed before":                {coverage: &coverage{all: true, allSince: MonotonicMS() - 1000}, connected: true, confirmed: 1500},
		"a reset since":                            {coverage: coveredFor(1000), reset: 100, connected: true, confirmed: 500},
		"down, heard a moment ago":                 {coverage: coveredFor(90_000), heard: 5000, confirmed: 80_000, want: true},
		"down for too long":                        {coverage: coveredFor(90_000), heard: 15_000, confirmed: 80_000},
		"down, but confirmed a moment ago":         {coverage: coveredFor(90_000), heard: 15_000, confirmed: 5000, want: true},
		"down, confirmed before it was covered":    {coverage: coveredFor(40_000), heard: 5000, confirmed: 50_000},
		"down, not covered":                        {coverage: &coverage{}, heard: 5000, confirmed: 50_000},
		"down, not covered, confirmed just before": {coverage: &coverage{}, heard: 50_000, confirmed: 5000, want: true},
		"never connected":                          {confirmed: 5000, want: true},
		"never connected, confirmed long ago":      {confirmed: 50_000},
	} {
		e := aloneEdge(t)
		now := MonotonicMS()
		e.resetAt.Store(now - 1_000_000)
		if tt.reset > 0 {
			e.resetAt.Store(now - tt.reset)
		}
		e.stream.coverage.Store(tt.coverage)
		e.stream.connected.Store(tt.connected)
		e.stream.heardAt.Store(now - tt.heard)
		s := e.Sessions.Put(stateOf("a", 1, protocol.Active, time.Hour), now-tt.confirmed)
		if got := e.fresh(s, 10*time.Second); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
		if since, ok := tt.coverage.since("p"); ok && tt.connected {
			same := e.Sessions.Put(stateOf("b", 1, protocol.Active, time.Hour), since)
			if e.fresh(same, 10*time.Second) {
				t.Errorf("%s: a session that was confirmed in the moment of the change is taken for current", name)
			}
		}
	}
}

// coveredFor is a coverage of the provider p, which began so many ms ago.
func coveredFor(ms int64) *coverage {
	i := newInterest()
	i.add("p", MonotonicMS())
	return (*coverage)(nil).followedBy(i.wanted(MonotonicMS(), nil), MonotonicMS()-ms)
}

// A provider that left the set comes back with its next session, whose state is asked for
// until the stream covers it.
func TestProviderComesBack(t *testing.T) {
	t.Parallel()
	e := aloneEdge(t)
	e.stream.connected.Store(true)
	e.stream.coverage.Store(&coverage{})
	var s *live.Session
	for _, added := range []func(){
		func() { s = e.Sessions.Put(stateOf("a", 1, protocol.Active, time.Hour), MonotonicMS()) },
		func() { e.fresh(s, 0) },
		func() { e.Hosts.keep("app.example", &protocol.HostAnswer{Host: "app.example", ProviderID: "p"}) },
		func() { e.Site("p") },
	} {
		clear(e.interest.providers)
		added()
		if e.interest.providers["p"] == nil {
			t.Error("the edge does not ask for the provider")
		}
	}
}

// An edge admits a session without the backend only if it would have heard of its end.
func TestOfflineEntriesOfProvidersThatWereNotHeardOf(t *testing.T) {
	t.Parallel()
	const began = 1000 // s ago
	sold := func(ago time.Duration) time.Time { return time.Now().Add(-ago) }
	of := func(since, began int64) *coverage {
		c := coveredFor(since * 1000)
		c.began = MonotonicMS() - began*1000
		return c
	}
	for name, tt := range map[string]struct {
		coverage *coverage
		sold     time.Time
		want     bool
	}{
		"no stream ever":                        {nil, sold(time.Hour), true},
		"covered from the beginning":            {of(began, began), sold(time.Hour), true},
		"covered later, sold before":            {of(100, began), sold(200 * time.Second), false},
		"covered later, sold since":             {of(100, began), sold(50 * time.Second), true},
		"not covered":                           {&coverage{began: MonotonicMS() - began*1000}, sold(time.Second), false},
		"all, from the beginning":               {&coverage{all: true, allSince: MonotonicMS() - began*1000, began: MonotonicMS() - began*1000}, sold(time.Hour), true},
		"all, since a moment, and sold before":  {&coverage{all: true, allSince: MonotonicMS() - 1000, began: MonotonicMS() - began*1000}, sold(time.Hour), false},
		"a token that does not say when it was": {of(100, began), time.Time{}, false},
	} {
		e := aloneEdge(t)
		e.stream.coverage.Store(tt.coverage)
		if got := e.heardOfEnds("p", tt.sold); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
		claims := claimsFor("s1", time.Hour)
		claims.ProviderID = "p"
		claims.IssuedAt.Time = tt.sold
		if _, code := e.Offline.Admit(&protocol.LaunchRequest{Token: "t"}, claims, OfflineLimits{Time: time.Hour, Sessions: 1}); (code == "") != tt.want {
			t.Errorf("%s: the entry is answered %q", name, code)
		}
	}
}

// A provider that found no place in a full set is of interest as long as the edge holds a
// session of it: the set may be so small later that the stream has no other providers.
func TestProviderOfAHeldSessionHasAPlaceLater(t *testing.T) {
	t.Parallel()
	i := newInterest()
	for n := range maxInterest {
		i.add(fmt.Sprint("p", n), 0)
	}
	i.add("late", 1)
	held := func() map[string]bool { return map[string]bool{"late": true} }
	if w := i.wanted(2, held); !w.all {
		t.Error("a full set is not streamed as all")
	}
	now := 2 * interestIdle.Milliseconds()
	if w := i.wanted(now, held); w.all || !slices.Equal(w.list(), []string{"late"}) {
		t.Errorf("all: %t, %v", w.all, w.list())
	}
}
