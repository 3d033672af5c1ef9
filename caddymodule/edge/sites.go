package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	siteShards = 256
	// maxSites and maxSitesSize bound the table: providers, and their settings in JSON.
	maxSites     = 50_000
	maxSitesSize = 64 << 20
)

// Site is the site settings of one provider. It is immutable: changed settings are another
// Site.
type Site struct {
	protocol.SiteState
	size int

	once    sync.Once
	derived any
}

// Derived returns what build makes of the settings. It is built once, so that all callers
// must pass the same function.
func (s *Site) Derived(build func(*protocol.SiteState) any) any {
	s.once.Do(func() { s.derived = build(&s.SiteState) })
	return s.derived
}

// InMaintenance reports whether the provider has closed its site.
func (s *Site) InMaintenance() bool {
	return s != nil && s.Site.Maintenance != nil && s.Site.Maintenance.On
}

// Sites is the table of the providers' site settings. Reading takes no lock and allocates
// nothing. It is safe for concurrent use.
type Sites struct {
	seed   maphash.Seed
	shards [siteShards]atomic.Pointer[map[string]*Site]
	// Called when a provider closes its site, after the table says so.
	onClosed func(provider string)

	mu      sync.Mutex // guards writes to the shards, and the rest
	count   int
	size    int
	used    map[string]int64 // monotonic ms of the last news or look-up, by provider
	changes atomic.Int64     // counts changes of the table
}

func newSites(onClosed func(provider string)) *Sites {
	return &Sites{seed: maphash.MakeSeed(), onClosed: onClosed, used: make(map[string]int64)}
}

func (t *Sites) shard(provider string) *atomic.Pointer[map[string]*Site] {
	return &t.shards[maphash.String(t.seed, provider)%siteShards]
}

// Of returns the settings of a provider, or nil if none are known: then all are the
// defaults.
func (t *Sites) Of(provider string) *Site {
	m := t.shard(provider).Load()
	if m == nil {
		return nil
	}
	return (*m)[provider]
}

var errMalformedSite = errors.New("malformed site settings")

// Take takes settings that the backend sent, unless newer ones are known. Settings of the
// same version replace each other, because what stands beside the version may change.
func (t *Sites) Take(st *protocol.SiteState, now int64) error {
	if st.ProviderID == "" || len(st.ProviderID) > protocol.MaxProviderID {
		return errMalformedSite
	}
	body, err := json.Marshal(st)
	if err != nil || len(body) > 2*protocol.MaxSite {
		return errMalformedSite
	}
	next := &Site{SiteState: *st, size: len(body)}
	if t.put(next, body, now) && t.onClosed != nil {
		t.onClosed(st.ProviderID)
	}
	return nil
}

// put stores settings unless newer ones are known. It reports whether they close a site
// that was open.
func (t *Sites) put(next *Site, body []byte, now int64) (closed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.Of(next.ProviderID)
	if old != nil {
		t.used[next.ProviderID] = now
		if next.Version < old.Version {
			return false
		}
		if known, err := json.Marshal(&old.SiteState); err == nil && bytes.Equal(known, body) {
			return false
		}
	}
	t.makeRoomLocked(next)
	t.storeLocked(next.ProviderID, next)
	t.used[next.ProviderID] = now
	return next.InMaintenance() && !old.InMaintenance()
}

// storeLocked puts next in the place of a provider's settings; nil removes them.
func (t *Sites) storeLocked(provider string, next *Site) {
	shard := t.shard(provider)
	var before map[string]*Site
	if m := shard.Load(); m != nil {
		before = *m
	}
	after := make(map[string]*Site, len(before)+1)
	for id, s := range before {
		after[id] = s
	}
	if old := before[provider]; old != nil {
		t.count--
		t.size -= old.size
		delete(after, provider)
		delete(t.used, provider)
	}
	if next != nil {
		t.count++
		t.size += next.size
		after[provider] = next
	}
	shard.Store(&after)
	t.changes.Add(1)
}

// makeRoomLocked drops settings of other providers until next fits. They are asked for
// again with the next look-up of their hosts.
func (t *Sites) makeRoomLocked(next *Site) {
	count, size := 1, next.size
	if old := t.Of(next.ProviderID); old != nil {
		count, size = 0, size-old.size
	}
	for provider := range t.used { // any one
		if t.count+count <= maxSites && t.size+size <= maxSitesSize {
			return
		}
		if provider != next.ProviderID {
			t.storeLocked(provider, nil)
		}
	}
}

// use notes that a provider is in use.
func (t *Sites) use(provider string, now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.used[provider]; known {
		t.used[provider] = now
	}
}

// sweep drops the settings of providers that the edge has had nothing to do with for
// interestIdle.
func (t *Sites) sweep(now int64, inUse func(provider string) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for provider, at := range t.used {
		switch {
		case inUse(provider):
			t.used[provider] = now
		case at < now-interestIdle.Milliseconds():
			t.storeLocked(provider, nil)
		}
	}
}

// providers lists the providers in the table.
func (t *Sites) providers() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]string, 0, len(t.used))
	for provider := range t.used {
		list = append(list, provider)
	}
	return list
}

// all lists the settings in the table.
func (t *Sites) all() []*Site {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]*Site, 0, t.count)
	for i := range t.shards {
		if m := t.shards[i].Load(); m != nil {
			for _, s := range *m {
				list = append(list, s)
			}
		}
	}
	return list
}

// applySite takes settings from the event stream.
func (e *Edge) applySite(data []byte) error {
	var st protocol.SiteState
	if err := json.Unmarshal(data, &st); err != nil {
		return errMalformedSite
	}
	e.Metrics.streamEvents.Inc()
	return e.Sites.Take(&st, MonotonicMS())
}

// closeSite ends the open requests of a provider's sessions, except those of its team.
func (e *Edge) closeSite(provider string) {
	e.Sessions.Each(func(s *live.Session) {
		if s.ProviderID() == provider && s.Record().Mode() != protocol.StaffMode {
			s.CutOpen(protocol.InMaintenance)
		}
	})
}
