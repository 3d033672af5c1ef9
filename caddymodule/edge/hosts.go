package edge

import (
	"context"
	"errors"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	hostFound   = time.Minute      // how long an answer is used unasked
	hostGrace   = 10 * time.Second // how long after that it is still used, while it is asked for again
	hostMissing = 10 * time.Second // how long a missing host is
	hostRefused = 5 * time.Second  // how long a stale answer is used after the backend refused to give a new one
	hostsMax    = 10_000           // hosts without a provider that are remembered
	foundMax    = 100_000          // hosts with one
	maxHostName = 253
)

var (
	// ErrUnknownHost is returned for a host that belongs to no provider.
	ErrUnknownHost = errors.New("host belongs to no provider")
	// ErrLookups is returned for a host that is not known, while others are looked up.
	ErrLookups = errors.New("too many look-ups of hosts")
	// ErrNobodyAsks is returned for a host that is not known to a request that has
	// nothing to enter with.
	ErrNobodyAsks = errors.New("the request has no session")
)

// AskerKind says on whose behalf a host is looked up.
type AskerKind int

// The kinds of askers. Each has a budget of its own.
const (
	ByStranger    AskerKind = iota // a request without a valid token
	ByToken                        // a request with a token that this service signed
	ByCertificate                  // a TLS handshake
)

// Asker is on whose behalf a host is looked up.
type Asker struct {
	Kind    AskerKind
	Address string // of the client; IPv6 networks of 64 bits count as one
	Session string // of the token, if it is known
}

// HostCache finds the provider of a host, remembering both answers. An answer
// that has grown old is still used while the backend is down.
type HostCache struct {
	backend *BackendClient
	limiter *Limiter
	onFound func(*protocol.HostAnswer) // called with each answer of the backend
	lookups singleflight.Group
	changes atomic.Int64 // counts changes of what was found

	introductions introductions

	mu      sync.RWMutex // guards all below
	found   map[string]hostEntry
	missing map[string]int64 // until when, in monotonic ms
}

type hostEntry struct {
	answer *protocol.HostAnswer
	until  int64 // monotonic ms
}

func newHostCache(b *BackendClient, l *Limiter, onFound func(*protocol.HostAnswer)) *HostCache {
	return &HostCache{backend: b, limiter: l, onFound: onFound, found: make(map[string]hostEntry), missing: make(map[string]int64)}
}

// Known returns what is known of a host without asking the backend: its provider,
// [ErrUnknownHost], or [ErrNobodyAsks]. fresh reports whether [HostCache.Find] would
// answer the same without asking.
func (c *HostCache) Known(host string) (answer *protocol.HostAnswer, fresh bool, err error) {
	host = BareHost(host)
	if !isHostName(host) {
		return nil, true, ErrUnknownHost
	}
	now := MonotonicMS()
	c.mu.RLock()
	defer c.mu.RUnlock()
	if entry, ok := c.found[host]; ok {
		return entry.answer, now < entry.until, nil
	}
	if now < c.missing[host] {
		return nil, true, ErrUnknownHost
	}
	return nil, false, ErrNobodyAsks
}

// Find returns the provider of host (as in a Host header), or [ErrUnknownHost],
// [ErrLookups], or why the backend could not say.
func (c *HostCache) Find(ctx context.Context, host string, by Asker) (*protocol.HostAnswer, error) {
	old, fresh, err := c.Known(host)
	if fresh {
		return old, err
	}
	host = BareHost(host)
	// A provider's host is asked about again once a minute, whoever comes for it.
	if old == nil && !c.limiter.lookUp(by) {
		return nil, ErrLookups
	}
	if old != nil && c.inGrace(host) { // no request to a busy site waits for the backend
		c.refresh(ctx, host, by)
		return old, nil
	}
	key, ask := c.question(ctx, host, by)
	v, err, _ := c.lookups.Do(key, ask)
	if err != nil {
		if old == nil {
			return nil, err
		}
		return old, nil
	}
	if answer := v.(*protocol.HostAnswer); answer != nil {
		return answer, nil
	}
	return nil, ErrUnknownHost
}

// Refresh has an answer that has grown old asked for again, in the background.
func (c *HostCache) Refresh(ctx context.Context, host string, by Asker) {
	if old, fresh, _ := c.Known(host); old != nil && !fresh {
		c.refresh(ctx, BareHost(host), by)
	}
}

func (c *HostCache) refresh(ctx context.Context, host string, by Asker) {
	key, ask := c.question(ctx, host, by)
	c.lookups.DoChan(key, ask)
}

// question is what asks the backend about a bare host, and the name by which those who ask
// the same share the answer.
func (c *HostCache) question(ctx context.Context, host string, by Asker) (key string, ask func() (any, error)) {
	key = host
	if by.Kind == ByCertificate {
		key += " " + protocol.PurposeCertificate
	}
	return key, func() (any, error) {
		if answer, fresh, _ := c.Known(host); fresh { // answered since
			return answer, nil
		}
		answer, err := c.backend.host(context.WithoutCancel(ctx), host, by.Kind == ByCertificate)
		if err != nil && !isNoHost(err) {
			c.keepStale(host, err) // not asked again at once: the backend is down or refuses
			return (*protocol.HostAnswer)(nil), err
		}
		c.keep(host, answer)
		return answer, nil
	}
}

// inGrace reports whether an answer has grown old a moment ago.
func (c *HostCache) inGrace(host string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	entry, ok := c.found[host]
	return ok && MonotonicMS() < entry.until+hostGrace.Milliseconds()
}

// isNoHost reports whether the backend said that the host has no provider.
func isNoHost(err error) bool {
	problem, ok := errors.AsType[*protocol.Problem](err)
	return ok && !errors.Is(err, ErrBackendDown) && problem.Status == http.StatusNotFound
}

// keep remembers the backend's answer; nil: the host has no provider.
func (c *HostCache) keep(host string, answer *protocol.HostAnswer) {
	if answer != nil {
		c.onFound(answer)
	}
	now := MonotonicMS()
	c.mu.Lock()
	defer c.mu.Unlock()
	if answer == nil {
		if _, known := c.found[host]; known {
			delete(c.found, host)
			c.changes.Add(1)
		}
		if len(c.missing) >= hostsMax {
			clear(c.missing) // clients can make up any number of them
		}
		c.missing[host] = now + hostMissing.Milliseconds()
		return
	}
	c.putLocked(host, answer, now+hostFound.Milliseconds())
}

// putLocked remembers the provider of a host until a time in monotonic ms.
func (c *HostCache) putLocked(host string, answer *protocol.HostAnswer, until int64) {
	delete(c.missing, host)
	old, known := c.found[host]
	if !known && len(c.found) >= foundMax {
		for other := range c.found { // any one
			delete(c.found, other)
			break
		}
	}
	if !known || !sameHost(old.answer, answer) {
		c.changes.Add(1)
	}
	c.found[host] = hostEntry{answer: answer, until: until}
}

// sameHost reports whether two answers say the same, apart from the site's settings.
func sameHost(a, b *protocol.HostAnswer) bool {
	one, other := *a, *b
	one.Site, other.Site = nil, nil
	return reflect.DeepEqual(one, other)
}

// restore remembers an answer from before a restart. It is asked for again with the next
// request, and used meanwhile.
func (c *HostCache) restore(answer *protocol.HostAnswer) {
	host := BareHost(answer.Host)
	if !isHostName(host) || answer.ProviderID == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.found[host]; !known {
		c.putLocked(host, answer, MonotonicMS())
	}
}

// all returns the answers about hosts that have a provider, and the hosts that have none.
func (c *HostCache) all() (found map[string]protocol.HostAnswer, missing map[string]bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	found, missing = make(map[string]protocol.HostAnswer, len(c.found)), make(map[string]bool, len(c.missing))
	for host, entry := range c.found {
		answer := *entry.answer
		answer.Host = host
		found[host] = answer
	}
	for host := range c.missing {
		missing[host] = true
	}
	return found, missing
}

// keepStale lets an old answer stand for a while.
func (c *HostCache) keepStale(host string, cause error) {
	pause := hostRefused
	if errors.Is(cause, ErrBackendDown) {
		pause = downPause
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if entry, ok := c.found[host]; ok {
		entry.until = MonotonicMS() + pause.Milliseconds()
		c.found[host] = entry
	}
}

// BareHost is a Host header without port, in lower case.
func BareHost(host string) string {
	if strings.IndexByte(host, ':') >= 0 { // else, the error would be allocated for every request
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
	}
	return strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
}

// isHostName reports whether a bare host can be a domain of a provider, or an address.
func isHostName(host string) bool {
	if host == "" || len(host) > maxHostName {
		return false
	}
	for i := range len(host) {
		switch c := host[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '.', c == ':', c >= 0x80:
		default:
			return false
		}
	}
	return true
}
