package backend

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// rates is how much one caller may ask. A limit without interval is none.
type rates struct {
	key     coord.Limit // of one API key
	address coord.Limit // of one address without a key: open endpoints, wrong keys
	trusted []netip.Prefix
}

// perSecond is n a second on average, and two seconds' worth at once.
func perSecond(n int) coord.Limit {
	if n < 0 {
		return coord.Limit{}
	}
	return coord.Limit{Interval: time.Second / time.Duration(n), Burst: 2 * n}
}

// limited refuses a use beyond a limit.
func (s *service) limited(ctx context.Context, key string, l coord.Limit) error {
	if l.Interval == 0 {
		return nil
	}
	wait, err := s.limit.Allow(ctx, key, l)
	if err != nil {
		return fmt.Errorf("limiting: %w", err)
	}
	if wait > 0 {
		return &refusal{code: protocol.RateLimited, detail: "Too many requests.", cause: &waitError{wait}}
	}
	return nil
}

// addressOf is who sent r: the last address that a proxy of ours did not add.
func (s *service) addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusts(host); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break // what stands further left, anybody may have written
		}
		host = hop.Unmap().String()
	}
	return host
}

func (s *service) trusts(host string) bool {
	a, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, p := range s.rates.trusted {
		if p.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

// keyUse gathers when keys were used, until it is written.
type keyUse struct {
	mu   sync.Mutex // guards used
	used map[string]int64
}

// note remembers a use, once a minute.
func (u *keyUse) note(k store.APIKey, now time.Time) {
	at := now.Unix() / 60 * 60
	if at <= k.LastUsedAt {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.used[k.ID] = at
}

func (u *keyUse) take() map[string]int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	used := u.used
	u.used = map[string]int64{}
	return used
}

// flushKeyUse writes when keys were used.
func (s *service) flushKeyUse(ctx context.Context) error {
	used := s.used.take()
	if len(used) == 0 {
		return nil
	}
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.TouchAPIKeys(ctx, used) })
}
