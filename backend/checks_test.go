package backend_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/domain"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/doctor"
)

const ofChecks = "/api/v1/providers/prov_demo/checks"

// everyPage is an injector that would put its clock into every page.
type everyPage struct{}

func (everyPage) Predict(*doctor.Page) (string, bool)              { return "prefix", true }
func (everyPage) Blocks(*doctor.Page, string, string) (bool, bool) { return false, false }

// gatedSite answers as a gate does that admits nobody, and counts who came.
type gatedSite struct {
	*httptest.Server
	asked   atomic.Int64
	queries atomic.Int64
	hold    chan struct{} // nil, or what answers wait for
}

func newGatedSite(t *testing.T, hold chan struct{}) *gatedSite {
	t.Helper()
	s := &gatedSite{hold: hold}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if r.URL.RawQuery != "" {
			s.queries.Add(1)
		}
		if s.hold != nil {
			<-s.hold
		}
		w.Header().Set("Cache-Control", "no-store")
		if r.Header.Get("Sec-Fetch-Mode") == "navigate" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"code":"session_missing","status":401,"title":"x"}`))
	}))
	t.Cleanup(s.Close)
	return s
}

// newSiteWorld is a world whose provider has a site on this machine.
func newSiteWorld(t *testing.T, site *gatedSite, loopback bool) *world {
	t.Helper()
	w := newWorld(t)
	w.tune = func(c *backend.Config) { c.Rules, c.WebhooksToLoopback = everyPage{}, loopback }
	w.open()
	// An address of a network, as a provider could register once.
	err := w.b.Store().Write(context.Background(), func(tx *store.Tx) error {
		p, err := tx.Provider(context.Background(), "prov_demo")
		if err != nil {
			return err
		}
		p.Domains, p.NewClaim = []string{"127.0.0.1", "169.254.169.254"}, func(string) domain.State { return domain.Vouched }
		return tx.UpdateProvider(context.Background(), p, w.now())
	})
	if err != nil {
		t.Fatal(err)
	}
	w.call("PATCH", "/api/v1/providers/prov_demo", w.admin, map[string]any{"app_url": site.URL + "/app?x=1", "origin_url": site.URL}).want(200)
	return w
}

func gradesOf(a *answer) map[string]string {
	grades := map[string]string{}
	for _, v := range a.at("checks").([]any) {
		c := v.(map[string]any)
		grades[c["name"].(string)] = c["grade"].(string)
	}
	return grades
}

func TestChecksLookAtTheProvidersSite(t *testing.T) {
	t.Parallel()
	site := newGatedSite(t, nil)
	w := newSiteWorld(t, site, true)
	for _, key := range []string{w.provider, w.admin} {
		a := w.call("POST", ofChecks, key, map[string]any{}).want(200)
		grades := gradesOf(a)
		if grades["gate"] != "ok" || grades["refusal"] != "ok" || grades["websocket"] != "ok" || grades["dns"] != "unchecked" || grades["injection"] != "unchecked" || grades["origin_lock"] != "ok" {
			t.Errorf("graded %s", a.raw)
		}
		if a.str("url") != site.URL+"/app" || a.num("at") != w.clock.Now().Unix() || a.num("failed") != 0 {
			t.Errorf("answered %s", a.raw)
		}
	}
	if site.queries.Load() != 0 {
		t.Error("a query was sent along")
	}
	if a := w.call("POST", ofChecks, w.provider, map[string]any{"url": site.URL + "/other?token=hunter2#x"}).want(200); a.str("url") != site.URL+"/other" {
		t.Errorf("another page is %s", a.str("url"))
	}
	for _, bad := range []string{"https://evil.example/", "http://localhost/", "ftp://127.0.0.1/", "http://user:hunter2@127.0.0.1/", "127.0.0.1", "http://"} {
		if a := w.call("POST", ofChecks, w.provider, map[string]any{"url": bad}).want(422, "invalid_request"); strings.Contains(string(a.raw), "hunter2") {
			t.Errorf("the answer quotes %s", a.raw)
		}
	}
	w.call("POST", "/api/v1/providers/prov_none/checks", w.admin, nil).want(404)
	w.call("PATCH", "/api/v1/providers/prov_demo", w.admin, map[string]any{"domains": []any{}}).want(200)
	w.call("POST", ofChecks, w.provider, nil).want(422, "invalid_request")
}

// TestChecksReachNoPrivateAddress names a domain, an origin and a cloud's
// metadata service that only this machine can reach.
func TestChecksReachNoPrivateAddress(t *testing.T) {
	t.Parallel()
	site := newGatedSite(t, nil)
	w := newSiteWorld(t, site, false)
	for _, page := range []string{"", site.URL + "/", "http://169.254.169.254/latest/meta-data/"} {
		a := w.call("POST", ofChecks, w.provider, map[string]any{"url": page}).want(200)
		for name, grade := range gradesOf(a) {
			if grade != "unchecked" && name != "dns" && name != "ownership" {
				t.Errorf("%s: %s is %s: %s", page, name, grade, a.raw)
			}
		}
		if !strings.Contains(string(a.raw), "it is not a public address") {
			t.Errorf("%s: %s", page, a.raw)
		}
	}
	if n := site.asked.Load(); n != 0 {
		t.Errorf("%d requests reached this machine", n)
	}
}

func TestOneCheckAtATime(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	site := newGatedSite(t, hold)
	w := newSiteWorld(t, site, true)
	first := make(chan int)
	go func() { first <- w.call("POST", ofChecks, w.provider, nil).status }()
	eventually(t, "the first check runs", func() bool { return site.asked.Load() > 0 })
	if a := w.call("POST", ofChecks, w.admin, nil).want(429, "rate_limited"); a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	close(hold)
	if status := <-first; status != 200 {
		t.Fatalf("the first check: %d", status)
	}
	for range 5 {
		w.call("POST", ofChecks, w.provider, nil).want(200)
	}
	if a := w.call("POST", ofChecks, w.provider, nil).want(429, "rate_limited"); a.header.Get("Retry-After") != "10" {
		t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
	w.clock.Add(10 * time.Second)
	w.call("POST", ofChecks, w.provider, nil).want(200)
}
