package edge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// siteOf is a provider's settings of a version, told apart by the app's name.
func siteOf(provider string, version int64, name string) *protocol.SiteState {
	return &protocol.SiteState{
		ID: protocol.SiteIDPrefix + provider, ProviderID: provider, Version: version,
		Site: protocol.Site{Brand: &protocol.Brand{AppName: name}},
	}
}

// appName is what the table says of a provider's app.
func appName(t *Sites, provider string) string {
	s := t.Of(provider)
	if s == nil || s.Site.Brand == nil {
		return ""
	}
	return s.Site.Brand.AppName
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// News that comes late changes nothing, whichever way it comes.
func TestLateSiteSettingsNeverWin(t *testing.T) {
	t.Parallel()
	e := aloneEdge(t)
	take := func(st *protocol.SiteState) {
		t.Helper()
		body, err := json.Marshal(st)
		if err == nil {
			err = e.applySite(body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	take(siteOf("p", 5, "five"))
	take(siteOf("p", 4, "four"))
	e.foundHost(&protocol.HostAnswer{Host: "app.example", ProviderID: "p", Site: siteOf("p", 3, "three")})
	body, _ := json.Marshal(siteOf("p", 2, "two"))
	if err := e.applyEvent(body); err != nil { // from a backend that takes it for a state
		t.Fatal(err)
	}
	if got := appName(e.Sites, "p"); got != "five" {
		t.Errorf("the table has %q, want the newest", got)
	}
	body, _ = json.Marshal(siteOf("p", 6, "six"))
	if err := e.applyEvent(body); err != nil || appName(e.Sites, "p") != "six" {
		t.Errorf("a newer one that is sent as a state: %v, %q", err, appName(e.Sites, "p"))
	}
	// A host's answer with the settings of somebody else says nothing about them.
	e.foundHost(&protocol.HostAnswer{Host: "app.example", ProviderID: "other", Site: siteOf("p", 9, "forged")})
	if appName(e.Sites, "p") != "six" || e.Sites.Of("other") != nil {
		t.Error("the settings of another provider were taken")
	}
	for name, bad := range map[string]string{
		"no JSON": "{", "no provider": `{"id":"site:","version":9}`, "a list": "[]",
		"a long id": `{"provider_id":"` + strings.Repeat("x", protocol.MaxProviderID+1) + `"}`,
		"too large": `{"provider_id":"p","version":9,"site":{"inject":"` + strings.Repeat("x", 3*protocol.MaxSite) + `"}}`,
	} {
		if err := e.applySite([]byte(bad)); err == nil || appName(e.Sites, "p") != "six" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What strangers can register is bounded in number and in size.
func TestSiteTableIsBounded(t *testing.T) {
	t.Parallel()
	table := newSites(nil)
	long := strings.Repeat("x", protocol.MaxSite/2)
	for version, name := range []string{"short", long} { // settings may grow
		for i := range maxSitesSize/len(long) + 100 {
			if err := table.Take(siteOf(fmt.Sprint("p", i), int64(version+1), name), 1); err != nil {
				t.Fatal(err)
			}
			if table.size > maxSitesSize || table.count > maxSites || len(table.used) != table.count {
				t.Fatalf("%d settings of %d bytes are kept, %d in use", table.count, table.size, len(table.used))
			}
		}
	}
}

// Providers that the edge has nothing to do with any more leave; those in use stay.
func TestSitesLeaveAfterAWhile(t *testing.T) {
	t.Parallel()
	table := newSites(nil)
	for _, provider := range []string{"named", "visited", "gone"} {
		_ = table.Take(siteOf(provider, 1, provider), 1)
	}
	later := 2 + interestIdle.Milliseconds()
	table.use("visited", later)
	table.sweep(later, func(provider string) bool { return provider == "named" })
	if table.Of("named") == nil || table.Of("visited") == nil || table.Of("gone") != nil || table.count != 2 {
		t.Errorf("%q are left", table.providers())
	}
}

// Reading the table takes no memory: it is part of the decision about each request.
func TestSiteLookUpAllocatesNothing(t *testing.T) {
	table := newSites(nil)
	_ = table.Take(siteOf("p", 1, "x"), 1)
	provider := strings.Clone("p")
	if n := testing.AllocsPerRun(1000, func() {
		if !(table.Of(provider) != nil && table.Of("none") == nil) {
			t.Fatal("wrong")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSiteLookUp(b *testing.B) {
	table := newSites(nil)
	for i := range 10_000 {
		_ = table.Take(siteOf(fmt.Sprint("p", i), 1, "x"), 1)
	}
	b.ReportAllocs()
	for b.Loop() {
		if table.Of("p77") == nil {
			b.Fatal("not found")
		}
	}
}

// sitesBackend answers questions for site settings, and has no event stream.
type sitesBackend struct {
	*httptest.Server
	asked  atomic.Int64
	status atomic.Int64 // of the answer; 0: it answers

	mu    sync.Mutex
	sites map[string]*protocol.SiteState
	last  []string // who was asked for
}

func newSitesBackend(t *testing.T, sites ...*protocol.SiteState) *sitesBackend {
	t.Helper()
	b := &sitesBackend{sites: make(map[string]*protocol.SiteState)}
	for _, s := range sites {
		b.sites[s.ProviderID] = s
	}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != protocol.EdgeSites {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		b.asked.Add(1)
		if status := int(b.status.Load()); status != 0 {
			w.WriteHeader(status)
			return
		}
		var in protocol.SitesRequest
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.last = in.Providers
		out := protocol.SitesAnswer{Sites: []protocol.SiteState{}}
		for _, provider := range in.Providers {
			if s := b.sites[provider]; s != nil {
				out.Sites = append(out.Sites, *s)
			}
		}
		_ = json.NewEncoder(w).Encode(out)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *sitesBackend) set(st *protocol.SiteState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sites[st.ProviderID] = st
}

// started starts an edge that is stopped when the test ends.
func started(t *testing.T, e *Edge) *Edge {
	t.Helper()
	e.Start()
	t.Cleanup(func() { e.loops.stop() })
	return e
}

// The settings of providers that sites name are asked for at start, when a site is added,
// and when changes may have gone unheard.
func TestSitesOfNamedProvidersAreAskedFor(t *testing.T) {
	t.Parallel()
	b := newSitesBackend(t, siteOf("first", 1, "one"), siteOf("second", 1, "two"))
	e := edgeOf(t, b.URL)
	release := e.ConfigureSite("first", nil)
	started(t, e)
	eventually(t, "the settings at start", func() bool { return appName(e.Sites, "first") == "one" })
	e.ConfigureSite("second", nil)
	eventually(t, "those of a site that is added", func() bool { return appName(e.Sites, "second") == "two" })
	b.set(siteOf("first", 2, "changed"))
	e.reset()
	eventually(t, "a change that went unheard", func() bool { return appName(e.Sites, "first") == "changed" })
	b.set(siteOf("first", 1, "older"))
	e.covered()
	n := b.asked.Load()
	eventually(t, "another question", func() bool { return b.asked.Load() > n })
	if got := appName(e.Sites, "first"); got != "changed" {
		t.Errorf("an older answer: %q", got)
	}
	release()
	release()
	if names := e.options.providers(); !slices.Equal(names, []string{"second"}) {
		t.Errorf("%q are named", names)
	}
}

// A backend that is away is asked again until it answers. What is known counts meanwhile.
func TestSitesAreAskedForUntilTheBackendAnswers(t *testing.T) {
	t.Parallel()
	b := newSitesBackend(t, siteOf("p", 1, "one"))
	b.status.Store(http.StatusServiceUnavailable)
	e := edgeOf(t, b.URL)
	e.ConfigureSite("p", nil)
	_ = e.Sites.Take(siteOf("p", 0, "kept"), 1)
	started(t, e)
	eventually(t, "three questions", func() bool { return b.asked.Load() >= 3 })
	if got := appName(e.Sites, "p"); got != "kept" {
		t.Errorf("meanwhile: %q", got)
	}
	b.status.Store(0)
	eventually(t, "the answer", func() bool { return appName(e.Sites, "p") == "one" })
}

// A backend from before site settings is asked now and then.
func TestOlderBackendHasNoSites(t *testing.T) {
	t.Parallel()
	b := newSitesBackend(t, siteOf("p", 1, "one"))
	b.status.Store(http.StatusNotFound)
	e := edgeOf(t, b.URL)
	e.ConfigureSite("p", nil)
	for range 2 {
		if err := e.siteAsker.askAll(t.Context()); err != nil || b.asked.Load() != 1 {
			t.Errorf("%v, asked %d times", err, b.asked.Load())
		}
	}
	b.status.Store(0)
	e.siteAsker.legacyUntil = time.Now() // the wait is over
	if err := e.siteAsker.askAll(t.Context()); err != nil || appName(e.Sites, "p") != "one" {
		t.Errorf("asked again: %v, %q", err, appName(e.Sites, "p"))
	}
}

// Many providers are asked for in several questions.
func TestManySitesAreAskedForInBatches(t *testing.T) {
	t.Parallel()
	b := newSitesBackend(t)
	e := edgeOf(t, b.URL)
	for i := range protocol.MaxStreamProviders + 1 {
		e.options.add(fmt.Sprint("p", i), nil)
	}
	if err := e.siteAsker.askAll(t.Context()); err != nil || b.asked.Load() != 2 {
		t.Errorf("%v, asked %d times, want 2", err, b.asked.Load())
	}
}

// A provider that closes its site ends what is open there, but not for its own team, and
// not elsewhere. A site that stays closed ends nothing more.
func TestClosingASiteEndsOpenRequests(t *testing.T) {
	t.Parallel()
	e := aloneEdge(t)
	cut := make(map[string]protocol.Code)
	open := func(id, provider string, mode protocol.Mode) *live.Session {
		st := stateOf(id, 1, protocol.Active, time.Hour)
		st.ProviderID, st.Mode = provider, mode
		s := e.Sessions.Put(st, 1)
		if code := s.Register(&live.Registration{Cutter: whyCutter(func(code protocol.Code) { cut[id] = code })}); code != "" {
			t.Fatal(code)
		}
		return s
	}
	paying := open("paying", "p", "")
	open("team", "p", protocol.StaffMode)
	open("other", "q", "")
	closed := siteOf("p", 1, "x")
	closed.Site.Maintenance = &protocol.Maintenance{On: true}
	if err := e.Sites.Take(closed, 1); err != nil || len(cut) != 1 || cut["paying"] != protocol.InMaintenance {
		t.Errorf("%v, ended: %v", err, cut)
	}
	if paying.Refusal() != "" {
		t.Errorf("the session itself: %s", paying.Refusal())
	}
	open("later", "p", "")
	again := *closed
	again.Version, again.Site.MaxSessions = 2, 7
	if err := e.Sites.Take(&again, 1); err != nil || len(cut) != 1 {
		t.Errorf("%v, ended by another change: %v", err, cut)
	}
}

// whyCutter is a request under way that ends by a call with the reason.
type whyCutter func(protocol.Code)

func (f whyCutter) Cut(code protocol.Code) { f(code) }

// Which settings the configuration sets is reported, and to an older backend the rest of
// the report alone.
func TestOptionsOfSitesAreReported(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []protocol.HeartbeatsRequest
	knowsSites := atomic.Bool{}
	knowsSites.Store(true)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in protocol.HeartbeatsRequest
		_ = json.NewDecoder(r.Body).Decode(&in)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, in)
		if in.Edge != nil && in.Edge.Sites != nil && !knowsSites.Load() {
			w.Header().Set("Content-Type", protocol.ProblemType)
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = w.Write((&protocol.Problem{Code: protocol.InvalidRequest}).JSON())
			return
		}
		_ = json.NewEncoder(w).Encode(protocol.HeartbeatsAnswer{})
	}))
	t.Cleanup(server.Close)
	e := edgeOf(t, server.URL)
	release := e.ConfigureSite("p", []string{"open_paths", "inject"})
	e.ConfigureSite("", []string{"cookie"})
	e.ConfigureSite("", []string{"cookie"})()
	e.ConfigureSite("silent", nil)
	flush := func() *protocol.EdgeReport {
		t.Helper()
		if err := e.Heartbeats.flush(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		return got[len(got)-1].Edge
	}
	want := "[{ [cookie]} {p [inject open_paths]}]"
	if r := flush(); fmt.Sprint(r.Sites) != want {
		t.Errorf("reported %v, want %s", r.Sites, want)
	}
	release()
	if r := flush(); fmt.Sprint(r.Sites) != "[{ [cookie]}]" {
		t.Errorf("after a site is gone: %v", r.Sites)
	}
	knowsSites.Store(false)
	if r := flush(); r == nil || r.Sites != nil || r.Version == "" {
		t.Errorf("an older backend receives %+v", r)
	}
	if n := len(got); flush() == nil || len(got) != n+1 {
		t.Error("the older backend is tried again at once")
	}
}
