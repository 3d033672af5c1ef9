package edge

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sessiongate/sessiongate/internal/limits"
)

// Limits are all limits of an edge that an operator can set. A zero value stands for the
// default, and [limits.Unlimited] for no limit. [Limits.List] describes them.
type Limits struct {
	WebSocketsPerSession         int64 `json:"websockets_per_session,omitempty"`
	WebSocketsPerProvider        int64 `json:"websockets_per_provider,omitempty"`
	WebSockets                   int64 `json:"websockets,omitempty"`
	EntriesPerLink               int64 `json:"entries_per_link,omitempty"`
	EntriesPerAddress            int64 `json:"entries_per_address,omitempty"`
	HostLookups                  int64 `json:"host_lookups,omitempty"`
	HostLookupsPerAddress        int64 `json:"host_lookups_per_address,omitempty"`
	OpenLookups                  int64 `json:"open_lookups,omitempty"`
	CertificateLookups           int64 `json:"certificate_lookups,omitempty"`
	CertificateLookupsPerAddress int64 `json:"certificate_lookups_per_address,omitempty"`
	EventBatchesPerSession       int64 `json:"event_batches_per_session,omitempty"`
	EventBatchesPerProvider      int64 `json:"event_batches_per_provider,omitempty"`
}

// maxLimit keeps products within their types.
const maxLimit = 1 << 30

// List describes the limits, in the order of their documentation. One address cannot use
// up what all addresses share.
func (l *Limits) List() limits.List {
	return limits.List{
		limits.At(&l.WebSocketsPerSession, "websockets_per_session", 64, "at once", "WebSockets of one session"),
		limits.At(&l.WebSocketsPerProvider, "websockets_per_provider", 20_000, "at once", "WebSockets of one provider's sessions"),
		limits.At(&l.WebSockets, "websockets", 100_000, "at once", "WebSockets of this edge"),
		limits.At(&l.EntriesPerLink, "entries_per_link", 30, "per minute", "attempts to enter by one launch link"),
		limits.At(&l.EntriesPerAddress, "entries_per_address", 600, "per minute", "attempts to enter from one address, by links that this service signed"),
		limits.At(&l.HostLookups, "host_lookups", 100, "per second", "new hosts that visitors with a valid token ask for"),
		limits.At(&l.HostLookupsPerAddress, "host_lookups_per_address", 60, "per minute", "the same, from one address, or with tokens of one session"),
		limits.At(&l.OpenLookups, "open_lookups", 5, "per second", "new hosts of requests without a valid token: on open paths, or with a cookie that is none of ours"),
		limits.At(&l.CertificateLookups, "certificate_lookups", 80, "per second", "new names in TLS handshakes"),
		limits.At(&l.CertificateLookupsPerAddress, "certificate_lookups_per_address", 60, "per minute", "the same, from one address"),
		limits.At(&l.EventBatchesPerSession, "event_batches_per_session", 60, "per minute", "batches of page events of one session"),
		limits.At(&l.EventBatchesPerProvider, "event_batches_per_provider", 12_000, "per minute", "batches of page events of one provider's sessions"),
	}
}

// Set sets the limit with this name. The value is a number, or off.
func (l *Limits) Set(name, value string) error {
	list := l.List()
	x, known := list.Named(name)
	if !known {
		return fmt.Errorf("unknown limit %q; limits are %s", name, list.Names())
	}
	if value == "off" {
		x.Set(limits.Unlimited)
		return nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 1 || n > maxLimit {
		return fmt.Errorf("limit %s is %q; it must be a whole number from 1 to %d, or off", name, value, int64(maxLimit))
	}
	x.Set(n)
	return nil
}

// Check returns an error for a value that [Limits.Set] would not set.
func (l *Limits) Check() error {
	for _, x := range l.List() {
		if x.Value < limits.Unlimited || x.Value > maxLimit {
			return fmt.Errorf("limit %s is %d; it must be from 1 to %d, or -1 for no limit", x.Name, x.Value, int64(maxLimit))
		}
	}
	return nil
}

// Limiter applies the limits of an edge. It outlives configurations, as its edge does, so
// that a reload forgets no count. It is safe for concurrent use.
type Limiter struct {
	limits  atomic.Pointer[Limits]
	refused map[string]prometheus.Counter

	links, entries, hosts, hostsBy, hostsOf, open, openBy, certificates, certificatesBy, events, providerEvents buckets

	mu         sync.Mutex // guards all below
	sockets    int64
	bySession  map[string]int64
	byProvider map[string]int64
}

func newLimiter(refusals *prometheus.CounterVec) *Limiter {
	l := &Limiter{refused: map[string]prometheus.Counter{}, bySession: map[string]int64{}, byProvider: map[string]int64{}}
	for _, x := range new(Limits).List() {
		l.refused[x.Name] = refusals.WithLabelValues(x.Name)
	}
	l.Use(Limits{})
	return l
}

// Use replaces the limits. Counts stay.
func (l *Limiter) Use(in Limits) {
	in.List().Fill()
	l.limits.Store(&in)
}

// In returns the limits in force.
func (l *Limiter) In() limits.List {
	in := *l.limits.Load()
	return in.List()
}

// allowed counts a refusal, and returns ok.
func (l *Limiter) allowed(name string, ok bool) bool {
	if !ok {
		l.refused[name].Inc()
	}
	return ok
}

// Entry reports whether an address may enter by a launch link now. The link must be
// verified: else anyone could use up what others at the same address may open.
func (l *Limiter) Entry(link, address string) bool {
	in := l.limits.Load()
	return l.allowed("entries_per_link", l.links.take(link, time.Minute, in.EntriesPerLink)) &&
		l.allowed("entries_per_address", l.entries.take(address, time.Minute, in.EntriesPerAddress))
}

// Events reports whether a session may send a batch of page events now.
func (l *Limiter) Events(session, provider string) bool {
	in := l.limits.Load()
	return l.allowed("event_batches_per_session", l.events.take(session, time.Minute, in.EventBatchesPerSession)) &&
		l.allowed("event_batches_per_provider", l.providerEvents.take(provider, time.Minute, in.EventBatchesPerProvider))
}

// lookUp reports whether a host that is not known may be looked up. Each kind has a
// budget of its own: what strangers ask for must not keep users with a session waiting.
func (l *Limiter) lookUp(by Asker) bool {
	in := l.limits.Load()
	switch by.Kind {
	case ByCertificate:
		return l.allowed("certificate_lookups_per_address", l.certificatesBy.take(by.Address, time.Minute, in.CertificateLookupsPerAddress)) &&
			l.allowed("certificate_lookups", l.certificates.take("", time.Second, in.CertificateLookups))
	case ByToken:
		// By session, too, since one customer may have many networks.
		one := (by.Session == "" || l.hostsOf.take(by.Session, time.Minute, in.HostLookupsPerAddress)) &&
			l.hostsBy.take(by.Address, time.Minute, in.HostLookupsPerAddress)
		return l.allowed("host_lookups_per_address", one) &&
			l.allowed("host_lookups", l.hosts.take("", time.Second, in.HostLookups))
	}
	return l.allowed("open_lookups", l.openBy.take(by.Address, time.Minute, in.HostLookupsPerAddress) && l.open.take("", time.Second, in.OpenLookups))
}

// OpenSocket makes room for a WebSocket until release is called; false if there is none.
func (l *Limiter) OpenSocket(session, provider string) (release func(), ok bool) {
	in := l.limits.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	over := func(name string, n, limit int64) bool { return !l.allowed(name, limit < 0 || n < limit) }
	if over("websockets_per_session", l.bySession[session], in.WebSocketsPerSession) ||
		over("websockets_per_provider", l.byProvider[provider], in.WebSocketsPerProvider) ||
		over("websockets", l.sockets, in.WebSockets) {
		return nil, false
	}
	l.sockets++
	l.bySession[session]++
	l.byProvider[provider]++
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.sockets--
		decrease(l.bySession, session)
		decrease(l.byProvider, provider)
	}), true
}

func decrease(counts map[string]int64, key string) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}

// OpenSockets is how many WebSockets are open.
func (l *Limiter) OpenSockets() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sockets
}

const (
	// maxBuckets is how many keys of one limit are counted at a time.
	maxBuckets = 50_000
	sweepEvery = time.Second
)

// buckets limit the uses of keys, by the generic cell rate algorithm. The zero value is
// ready to use.
type buckets struct {
	mu    sync.Mutex               // guards all below
	due   map[string]time.Duration // since the process started: when the key's uses are paid for
	swept time.Duration
}

// take counts one use of a key, of which there may be n in each period, all of them at
// once if need be. It reports whether the use is allowed.
func (b *buckets) take(key string, period time.Duration, n int64) bool {
	return b.takeAt(time.Since(processStart), key, period, n)
}

func (b *buckets) takeAt(now time.Duration, key string, period time.Duration, n int64) bool {
	if n < 0 {
		return true
	}
	interval := max(1, period/time.Duration(max(1, n)))
	b.mu.Lock()
	defer b.mu.Unlock()
	due, known := b.due[key]
	due = max(due, now)
	if due+interval-now > max(period, interval) {
		return false
	}
	if !known && len(b.due) >= maxBuckets && !b.sweepLocked(now) {
		return true // more keys at once than are counted: limits of all keys together remain
	}
	if b.due == nil {
		b.due = map[string]time.Duration{}
	}
	b.due[key] = due + interval
	return true
}

// sweepLocked removes the keys that have no use to pay for. It reports whether there is
// room.
func (b *buckets) sweepLocked(now time.Duration) bool {
	if now-b.swept < sweepEvery && b.swept > 0 {
		return false
	}
	b.swept = now
	for key, due := range b.due {
		if due <= now {
			delete(b.due, key)
		}
	}
	return len(b.due) < maxBuckets
}
