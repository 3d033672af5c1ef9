package edge

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// hostsBackend answers look-ups of hosts: app.example has a provider, others have none.
type hostsBackend struct {
	*httptest.Server
	asked        atomic.Int64
	certificates atomic.Int64 // of these, for certificates
	busy         atomic.Bool  // it answers 429
	gone         atomic.Bool  // no host has a provider
	slow         chan struct{}
}

func newHostsBackend(t *testing.T) *hostsBackend {
	t.Helper()
	b := &hostsBackend{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.asked.Add(1)
		if r.Header.Get(protocol.HeaderPurpose) == protocol.PurposeCertificate {
			b.certificates.Add(1)
		}
		if b.slow != nil {
			<-b.slow
		}
		p := &protocol.Problem{Status: http.StatusNotFound, Code: protocol.HostUnknown}
		switch {
		case b.busy.Load():
			p = &protocol.Problem{Status: http.StatusTooManyRequests, Code: protocol.RateLimited}
		case strings.HasSuffix(r.URL.Path, "/app.example") && !b.gone.Load():
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"host":"app.example","provider_id":"p"}`))
			return
		}
		w.Header().Set("Content-Type", protocol.ProblemType)
		w.WriteHeader(p.Status)
		_, _ = w.Write(p.JSON())
	}))
	t.Cleanup(b.Close)
	return b
}

// expire makes what is known of app.example an hour old.
func expire(c *HostCache) { age(c, time.Hour) }

// age makes the answer about app.example one that is due for so long.
func age(c *HostCache, due time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.found["app.example"]
	e.until = MonotonicMS() - due.Milliseconds()
	c.found["app.example"] = e
}

var somebody = Asker{Kind: ByToken, Address: "192.0.2.1"}

// Made-up names must not push out the domains that are served while the backend
// is down.
func TestMadeUpHostsPushOutNobody(t *testing.T) {
	t.Parallel()
	c := aloneEdge(t).Hosts // its backend answers nothing
	c.keep("app.example", &protocol.HostAnswer{ProviderID: "p"})
	expire(c)
	for i := range 2*hostsMax + 1 {
		c.keep(fmt.Sprintf("%d.example", i), nil)
	}
	if found, err := c.Find(t.Context(), "app.example", somebody); err != nil || found.ProviderID != "p" {
		t.Errorf("a domain of a provider's: %v", err)
	}
	if n := len(c.missing); n > hostsMax {
		t.Errorf("%d hosts without a provider are kept, want %d at most", n, hostsMax)
	}
	if _, err := c.Find(t.Context(), fmt.Sprintf("%d.example", 2*hostsMax), somebody); !errors.Is(err, ErrUnknownHost) {
		t.Errorf("the newest made-up one: %v", err)
	}
}

// Strangers, users and handshakes have budgets of their own; an address has a part of its
// kind's.
func TestLookUpsOfHostsHaveBudgets(t *testing.T) {
	t.Parallel()
	b := newHostsBackend(t)
	e := edgeOf(t, b.URL)
	e.Limits.Use(Limits{HostLookups: 20, HostLookupsPerAddress: 5, OpenLookups: 3, CertificateLookups: 4, CertificateLookupsPerAddress: 100})
	n := 0
	spend := func(by Asker, times int) (refused int) {
		for range times {
			n++
			if _, err := e.Hosts.Find(t.Context(), fmt.Sprintf("h%d.example", n), by); errors.Is(err, ErrLookups) {
				refused++
			} else if !errors.Is(err, ErrUnknownHost) {
				t.Fatal(err)
			}
		}
		return refused
	}
	if refused := spend(Asker{Kind: ByStranger, Address: "192.0.2.9"}, 50); refused < 40 {
		t.Errorf("%d of a stranger's 50 look-ups are refused", refused)
	}
	if refused := spend(Asker{Kind: ByCertificate, Address: "192.0.2.9"}, 50); refused < 40 {
		t.Errorf("%d of 50 look-ups for certificates are refused", refused)
	}
	if refused := spend(Asker{Kind: ByToken, Address: "192.0.2.9"}, 50); refused < 40 {
		t.Errorf("%d of one address' 50 look-ups are refused", refused)
	}
	if refused := spend(somebody, 5); refused != 0 {
		t.Errorf("%d look-ups of another address are refused", refused)
	}
	if asked := b.asked.Load(); asked > 40 {
		t.Errorf("the backend was asked %d times", asked)
	}
	if found, err := e.Hosts.Find(t.Context(), "app.example", Asker{Kind: ByToken, Address: "192.0.2.2"}); err != nil || found.ProviderID != "p" {
		t.Errorf("a provider's host: %v", err)
	}
	if _, err := e.Hosts.Find(t.Context(), "app.example", Asker{Kind: ByCertificate, Address: "192.0.2.9"}); err != nil {
		t.Errorf("the certificate of a host that is known: %v", err)
	}
}

// What is known is served while the backend refuses to answer, and given up when the
// backend says so. Look-ups for certificates are marked.
func TestKnownHostsSurviveAFlood(t *testing.T) {
	t.Parallel()
	b := newHostsBackend(t)
	e := edgeOf(t, b.URL)
	certificate := Asker{Kind: ByCertificate, Address: "192.0.2.1"}
	if _, err := e.Hosts.Find(t.Context(), "app.example", certificate); err != nil || b.certificates.Load() != 1 {
		t.Fatalf("%v, %d for certificates", err, b.certificates.Load())
	}
	b.busy.Store(true)
	expire(e.Hosts)
	e.Limits.Use(Limits{HostLookups: 1, HostLookupsPerAddress: 1, OpenLookups: 1, CertificateLookups: 1, CertificateLookupsPerAddress: 1})
	for range 5 {
		if _, err := e.Hosts.Find(t.Context(), "app.example", somebody); err != nil {
			t.Fatalf("while the backend is busy: %v", err)
		}
	}
	if asked := b.asked.Load(); asked != 2 {
		t.Errorf("the backend was asked %d times", asked)
	}
	b.busy.Store(false)
	b.gone.Store(true)
	expire(e.Hosts)
	if _, err := e.Hosts.Find(t.Context(), "app.example", somebody); !errors.Is(err, ErrUnknownHost) {
		t.Errorf("a host that was given up: %v", err)
	}
}

// A request to a site in use does not wait for the backend, although the host is asked
// about again once a minute. One that comes long after the last waits.
func TestHostsInUseWaitForNothing(t *testing.T) {
	t.Parallel()
	b := newHostsBackend(t)
	e := edgeOf(t, b.URL)
	find := func() (*protocol.HostAnswer, error) { return e.Hosts.Find(t.Context(), "app.example", somebody) }
	if _, err := find(); err != nil {
		t.Fatal(err)
	}
	b.slow = make(chan struct{})
	age(e.Hosts, time.Millisecond)
	for range 20 { // the backend hangs
		if found, err := find(); err != nil || found.ProviderID != "p" {
			t.Fatalf("while the backend hangs: %v", err)
		}
	}
	b.gone.Store(true)
	close(b.slow)
	waitUntil(t, func() bool { _, fresh, _ := e.Hosts.Known("app.example"); return fresh })
	if _, err := find(); !errors.Is(err, ErrUnknownHost) {
		t.Errorf("a host that was given up: %v", err)
	}
	if asked := b.asked.Load(); asked != 2 {
		t.Errorf("the backend was asked %d times", asked)
	}
}

// TestKnownHostsCostNothing: the provider of a host that is known is found without
// allocating.
func TestKnownHostsCostNothing(t *testing.T) {
	c := aloneEdge(t).Hosts
	c.keep("app.example", &protocol.HostAnswer{ProviderID: "p"})
	for _, host := range []string{"app.example", "app.example:443", "app.example."} {
		if n := testing.AllocsPerRun(100, func() { _, _, _ = c.Known(host) }); n != 0 {
			t.Errorf("%s: %v allocations", host, n)
		}
	}
}

// Many requests for one unknown host ask once, and names that no host has ask never.
func TestLookUpsOfOneHostAreOne(t *testing.T) {
	t.Parallel()
	b := newHostsBackend(t)
	b.slow = make(chan struct{})
	e := edgeOf(t, b.URL)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := e.Hosts.Find(t.Context(), "App.Example:443", somebody); err != nil {
				t.Error(err)
			}
		})
	}
	waitUntil(t, func() bool { return b.asked.Load() > 0 })
	close(b.slow)
	wg.Wait()
	if asked := b.asked.Load(); asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	before := b.asked.Load()
	for _, host := range []string{"", "a b.example", "a/b", strings.Repeat("a", 254), "x\x00.example", "{host}", "a_b.example"} {
		if _, err := e.Hosts.Find(t.Context(), host, somebody); !errors.Is(err, ErrUnknownHost) {
			t.Errorf("%q: %v", host, err)
		}
	}
	if b.asked.Load() != before {
		t.Error("the backend was asked about names that no host has")
	}
}

// waitUntil waits for a condition.
func waitUntil(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not happen within 20 s")
		}
	}
}
