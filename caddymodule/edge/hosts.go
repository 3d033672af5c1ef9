package edge

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
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
	onFound func(provider string) // called with each answer of the backend
	lookups singleflight.Group

	mu      sync.RWMutex // guards all below
	found   map[string]hostEntry
	missing map[string]int64 // until when, in monotonic ms
}

type hostEntry struct {
	answer *protocol.HostAnswer
	until  int64 // monotonic ms
}

func newHostCache(b *BackendClient, l *Limiter, onFound func(provider string)) *HostCache {
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
	key := host
	if by.Kind == ByCertificate {
		key += " " + protocol.PurposeCertificate
	}
	ask := func() (any, error) {
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
	if old != nil && c.inGrace(host) { // no request to a busy site waits for the backend
		c.lookups.DoChan(key, ask)
		return old, nil
	}
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
		c.onFound(answer.ProviderID)
	}
	now := MonotonicMS()
	c.mu.Lock()
	defer c.mu.Unlock()
	if answer == nil {
		delete(c.found, host)
		if len(c.missing) >= hostsMax {
			clear(c.missing) // clients can make up any number of them
		}
		c.missing[host] = now + hostMissing.Milliseconds()
		return
	}
	delete(c.missing, host)
	if _, known := c.found[host]; !known && len(c.found) >= foundMax {
		for other := range c.found { // any one
			delete(c.found, other)
			break
		}
	}
	c.found[host] = hostEntry{answer: answer, until: now + hostFound.Milliseconds()}
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
