package edge

import (
	"context"
	"encoding/json"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// folder is Caddy's storage in a folder of the test.
func folder(t *testing.T) *certmagic.FileStorage {
	t.Helper()
	return &certmagic.FileStorage{Path: t.TempDir()}
}

// What an edge knew is there after its restart, although the backend is down.
func TestHostsAndSitesAreKept(t *testing.T) {
	t.Parallel()
	storage := folder(t)
	first := aloneEdge(t)
	first.Keep(storage)
	first.Hosts.keep("app.example", &protocol.HostAnswer{
		Host: "app.example", ProviderID: "p", OriginURL: "https://origin.example", ReturnHosts: []string{"market.example"}, Site: siteOf("p", 7, "seven"),
	})
	_ = first.Sites.Take(siteOf("named", 3, "three"), 1)
	first.Hosts.keep("none.example", nil)
	if err := first.keeper.save(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := aloneEdge(t)
	second.Keep(storage)
	host, fresh, err := second.Hosts.Known("app.example")
	if err != nil || host.ProviderID != "p" || host.OriginURL != "https://origin.example" || len(host.ReturnHosts) != 1 {
		t.Fatalf("the host is %+v, %v", host, err)
	}
	if fresh {
		t.Error("what was kept is not asked for again")
	}
	if found, err := second.Hosts.Find(t.Context(), "app.example", somebody); err != nil || found.ProviderID != "p" {
		t.Errorf("while the backend is down: %+v, %v", found, err)
	}
	if appName(second.Sites, "p") != "seven" || appName(second.Sites, "named") != "three" {
		t.Errorf("settings: %q, %q", appName(second.Sites, "p"), appName(second.Sites, "named"))
	}
	if _, _, err := second.Hosts.Known("none.example"); err == nil {
		t.Error("a host without a provider is kept as one with a provider")
	}
}

// A running edge keeps changes by itself, and what is left when it stops.
func TestChangesAreKeptAtStop(t *testing.T) {
	t.Parallel()
	storage := folder(t)
	e := aloneEdge(t)
	e.Keep(storage)
	e.Start()
	_ = e.Sites.Take(siteOf("p", 1, "one"), 1)
	e.loops.stop()
	again := aloneEdge(t)
	again.Keep(storage)
	if got := appName(again.Sites, "p"); got != "one" {
		t.Errorf("after the stop: %q", got)
	}
}

// Edges with one storage add to the file, and the newer settings win.
func TestEdgesShareWhatIsKept(t *testing.T) {
	t.Parallel()
	storage := folder(t)
	for _, st := range []*protocol.SiteState{siteOf("a", 1, "one"), siteOf("b", 5, "five"), siteOf("b", 4, "four")} {
		e := aloneEdge(t)
		e.keeper.storage = storage // an edge that started before the others wrote
		_ = e.Sites.Take(st, 1)
		e.Hosts.keep(st.ProviderID+".example", &protocol.HostAnswer{Host: st.ProviderID + ".example", ProviderID: st.ProviderID})
		if err := e.keeper.save(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	e := aloneEdge(t)
	e.Keep(storage)
	if appName(e.Sites, "a") != "one" || appName(e.Sites, "b") != "five" {
		t.Errorf("settings: %q, %q", appName(e.Sites, "a"), appName(e.Sites, "b"))
	}
	for _, host := range []string{"a.example", "b.example"} {
		if _, _, err := e.Hosts.Known(host); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// A file that is damaged, or that somebody else wrote, is ignored, and replaced.
func TestDamagedFileIsIgnored(t *testing.T) {
	t.Parallel()
	good, err := json.Marshal(keptFile{Format: keptFormat, Backend: "http://127.0.0.1:1", Sites: []keptSite{{State: *siteOf("p", 1, "x")}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"empty": "", "cut short": string(good[:len(good)-5]), "no JSON": "\x00\x01", "a list": "[]",
		"of another backend": strings.Replace(string(good), "127.0.0.1:1", "other.example", 1),
		"of another version": strings.Replace(string(good), `"format":1`, `"format":2`, 1),
		"too large":          string(good) + strings.Repeat(" ", maxKept),
	} {
		storage := folder(t)
		e := aloneEdge(t)
		if err := storage.Store(t.Context(), e.keeper.key, []byte(body)); err != nil {
			t.Fatal(err)
		}
		e.Keep(storage)
		if e.Sites.Of("p") != nil {
			t.Errorf("%s: it was taken", name)
		}
		_ = e.Sites.Take(siteOf("q", 1, "new"), 1)
		if err := e.keeper.save(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		again := aloneEdge(t)
		again.Keep(storage)
		if appName(again.Sites, "q") != "new" {
			t.Errorf("%s: it is not replaced", name)
		}
	}
	e := aloneEdge(t)
	storage := folder(t)
	_ = storage.Store(t.Context(), e.keeper.key, good)
	e.Keep(storage)
	if appName(e.Sites, "p") != "x" {
		t.Error("the sound file is not taken, so that this test says nothing")
	}
}

// countingStorage counts what is written, in memory.
type countingStorage struct {
	mu     sync.Mutex
	writes int
	body   []byte
}

func (c *countingStorage) Load(context.Context, string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.body == nil {
		return nil, fs.ErrNotExist
	}
	return c.body, nil
}

func (c *countingStorage) Store(_ context.Context, _ string, body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	c.body = body
	return nil
}

// Nothing is written unless something has changed, and the file has a bound.
func TestFileIsWrittenForChangesAlone(t *testing.T) {
	t.Parallel()
	storage := new(countingStorage)
	e := aloneEdge(t)
	e.Keep(storage)
	answer := &protocol.HostAnswer{Host: "app.example", ProviderID: "p"}
	for range 3 {
		e.Hosts.keep("app.example", answer)
		_ = e.Sites.Take(siteOf("p", 1, "one"), 1)
		if err := e.keeper.save(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if storage.writes != 1 {
		t.Errorf("written %d times, want once", storage.writes)
	}
	file := &keptFile{}
	long := strings.Repeat("x", protocol.MaxSite)
	for i := range 2 * maxKept / len(long) {
		file.Sites = append(file.Sites, keptSite{At: int64(i), State: *siteOf("p", int64(i), long)})
	}
	file.bound()
	if body, _ := json.Marshal(file); len(body) > maxKept {
		t.Errorf("the file has %d bytes", len(body))
	}
	if n := len(file.Sites); n == 0 || file.Sites[0].At != int64(2*maxKept/len(long)-1) {
		t.Errorf("%d settings are left, and not the latest", n)
	}
}

// What nobody has heard of for a long time leaves the file.
func TestForgottenHostsLeaveTheFile(t *testing.T) {
	t.Parallel()
	e := aloneEdge(t)
	long := time.Now().Add(-2 * keptFor).Unix()
	file := e.keeper.merged(&keptFile{
		Hosts: []keptHost{{At: long, Answer: protocol.HostAnswer{Host: "old.example", ProviderID: "p"}}, {At: time.Now().Unix(), Answer: protocol.HostAnswer{Host: "new.example", ProviderID: "p"}}},
		Sites: []keptSite{{At: long, State: *siteOf("old", 1, "x")}},
	}, time.Now())
	if len(file.Hosts) != 1 || file.Hosts[0].Answer.Host != "new.example" || len(file.Sites) != 0 {
		t.Errorf("left: %+v", file)
	}
}
