package caddymodule

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	hostFound   = time.Minute      // how long an answer is used unasked
	hostMissing = 10 * time.Second // how long a "no such host" is
	hostsMax    = 10_000
)

// errUnknownHost is returned for a host that belongs to no provider.
var errUnknownHost = errors.New("host belongs to no provider")

// hostCache finds the provider of a host, remembering both answers. An answer
// that has grown old is still used while the backend is down.
type hostCache struct {
	backend *backendClient

	mu    sync.Mutex // guards hosts
	hosts map[string]hostEntry
}

type hostEntry struct {
	answer *protocol.HostAnswer // nil: no such host
	until  int64                // monotonic ms
}

func newHostCache(b *backendClient) *hostCache {
	return &hostCache{backend: b, hosts: make(map[string]hostEntry)}
}

// find returns the provider of host (as in a Host header), or errUnknownHost,
// or why the backend could not say.
func (c *hostCache) find(ctx context.Context, host string) (*protocol.HostAnswer, error) {
	host = bareHost(host)
	c.mu.Lock()
	entry, known := c.hosts[host]
	c.mu.Unlock()
	if known && monotonicMS() < entry.until {
		return entry.result()
	}
	answer, err := c.backend.host(ctx, host)
	var problem *protocol.Problem
	life := hostFound
	switch {
	case err == nil:
	case errors.As(err, &problem) && !errors.Is(err, errBackendDown) && problem.Status == 404:
		answer, life = nil, hostMissing
	case known:
		return entry.result()
	default:
		return nil, err
	}
	entry = hostEntry{answer: answer, until: monotonicMS() + life.Milliseconds()}
	c.mu.Lock()
	if len(c.hosts) >= hostsMax {
		clear(c.hosts) // hosts that nobody owns come without end
	}
	c.hosts[host] = entry
	c.mu.Unlock()
	return entry.result()
}

func (e hostEntry) result() (*protocol.HostAnswer, error) {
	if e.answer == nil {
		return nil, errUnknownHost
	}
	return e.answer, nil
}

// bareHost is a Host header without port, in lower case.
func bareHost(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
}
