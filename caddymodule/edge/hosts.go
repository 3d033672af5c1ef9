package edge

import (
	"context"
	"errors"
	"maps"
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
	hostMissing = 10 * time.Second // how long a missing host is
	hostsMax    = 10_000
)

// ErrUnknownHost is returned for a host that belongs to no provider.
var ErrUnknownHost = errors.New("host belongs to no provider")

// HostCache finds the provider of a host, remembering both answers. An answer
// that has grown old is still used while the backend is down.
type HostCache struct {
	backend *BackendClient
	lookups singleflight.Group

	mu    sync.RWMutex // guards hosts
	hosts map[string]hostEntry
}

type hostEntry struct {
	answer *protocol.HostAnswer // nil: no such host
	until  int64                // monotonic ms
}

func newHostCache(b *BackendClient) *HostCache {
	return &HostCache{backend: b, hosts: make(map[string]hostEntry)}
}

// Find returns the provider of host (as in a Host header), or errUnknownHost,
// or why the backend could not say.
func (c *HostCache) Find(ctx context.Context, host string) (*protocol.HostAnswer, error) {
	host = BareHost(host)
	c.mu.RLock()
	entry, known := c.hosts[host]
	c.mu.RUnlock()
	if known && MonotonicMS() < entry.until {
		return entry.result()
	}
	v, err, _ := c.lookups.Do(host, func() (any, error) {
		answer, err := c.backend.host(context.WithoutCancel(ctx), host)
		life := hostFound
		var problem *protocol.Problem
		switch {
		case err == nil:
		case errors.As(err, &problem) && !errors.Is(err, ErrBackendDown) && problem.Status == http.StatusNotFound:
			answer, life = nil, hostMissing
		default:
			return hostEntry{}, err
		}
		fresh := hostEntry{answer: answer, until: MonotonicMS() + life.Milliseconds()}
		c.keep(host, fresh)
		return fresh, nil
	})
	if err != nil {
		if !known || entry.answer == nil {
			return nil, err
		}
		// Served stale, and not asked again at once: the backend is down.
		entry.until = MonotonicMS() + downPause.Milliseconds()
		c.keep(host, entry)
		return entry.result()
	}
	return v.(hostEntry).result()
}

func (c *HostCache) keep(host string, e hostEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.hosts) >= hostsMax {
		// Clients can make up any number of hosts that have no provider.
		maps.DeleteFunc(c.hosts, func(_ string, e hostEntry) bool { return e.answer == nil })
		if len(c.hosts) >= hostsMax {
			clear(c.hosts)
		}
	}
	c.hosts[host] = e
}

func (e hostEntry) result() (*protocol.HostAnswer, error) {
	if e.answer == nil {
		return nil, ErrUnknownHost
	}
	return e.answer, nil
}

// BareHost is a Host header without port, in lower case.
func BareHost(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
}
