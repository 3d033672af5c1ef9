package edge

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	// strangePause is how long visitors without a session cause no look-up after one of
	// them has asked for a host that has no provider.
	strangePause = time.Minute
	// strangeRetry is the same after a look-up that failed.
	strangeRetry = 5 * time.Second
)

// introductions are look-ups for visitors without a session. Hosts that have a provider are
// looked up one after the other; a made-up one stops the look-ups for strangePause, so that
// a flood of them asks the backend nothing.
type introductions struct {
	next atomic.Int64 // monotonic ms before which none is made
}

// Introduce looks up a host that is not known, for a visitor without a session. It returns
// [ErrNobodyAsks] if it may not be looked up now.
func (c *HostCache) Introduce(ctx context.Context, host string) error {
	host = BareHost(host)
	_, address := netip.ParseAddr(host)
	if !isHostName(host) || address == nil || !strings.Contains(host, ".") {
		return ErrNobodyAsks // it cannot be a provider's
	}
	now := MonotonicMS()
	until := c.introductions.next.Load()
	if now < until || !c.introductions.next.CompareAndSwap(until, now+strangePause.Milliseconds()) {
		return ErrNobodyAsks
	}
	key, ask := c.question(ctx, host, Asker{})
	v, err, _ := c.lookups.Do(key, ask)
	switch {
	case err != nil:
		c.introductions.next.Store(MonotonicMS() + strangeRetry.Milliseconds())
		return errors.Join(ErrNobodyAsks, err)
	case v == (*protocol.HostAnswer)(nil):
		return ErrUnknownHost
	}
	c.introductions.next.Store(0)
	return nil
}
