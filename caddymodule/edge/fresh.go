package edge

import (
	"encoding/json"
	"errors"
	"hash/maphash"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

var errMalformedState = errors.New("malformed state")

// applyEvent takes a state that the backend sent by itself, in JSON. Of sessions that this
// edge does not hold, it keeps whether they ended: their first request asks for the rest.
func (e *Edge) applyEvent(data []byte) error {
	head, err := protocol.HeadOf(data)
	if err != nil || head.ID == "" {
		return errMalformedState
	}
	if strings.HasPrefix(head.ID, protocol.SiteIDPrefix) { // from a backend that takes it for a state
		return e.applySite(data)
	}
	e.Metrics.streamEvents.Inc()
	if head.Status.Terminal() {
		e.ended.add(head.ID, head.Status)
	}
	// Before the look: a session that is added meanwhile is not taken for current.
	e.unheld.add(head.ID, MonotonicMS())
	s := e.Sessions.ByID(head.ID)
	if s == nil {
		return nil
	}
	var st protocol.LiveState
	if err := json.Unmarshal(data, &st); err != nil {
		return errMalformedState
	}
	s.Apply(&st, MonotonicMS())
	return nil
}

// added takes note of a session that the edge holds from now on. Its state may be older
// than an event that came between the question and the answer, and that found no session.
func (e *Edge) added(s *live.Session) {
	e.interest.add(s.ProviderID(), MonotonicMS())
	if confirmed := s.ConfirmedAt(); e.unheld.since(s.ID(), confirmed) {
		s.Doubt(confirmed)
	}
}

// reset says that changes may have gone unheard.
func (e *Edge) reset() {
	e.Metrics.streamResets.Inc()
	e.resetAt.Store(MonotonicMS())
	e.downUntil.Store(0)
	e.sweep.begin()
	e.siteAsker.ask()
}

// fresh reports whether s may be judged by what is held: the backend vouched
// for it after the last gap in the stream, and after the stream began to carry the
// changes of its provider; and the stream runs, or ran within maxStaleness. While the
// stream is down, it is enough that the backend vouched for s itself as recently.
func (e *Edge) fresh(s *live.Session, maxStaleness time.Duration) bool {
	confirmed := s.ConfirmedAt()
	if confirmed <= e.resetAt.Load() {
		return false
	}
	// Before the coverage is read: once a stream runs, its coverage is in force.
	connected := e.stream.connected.Load()
	coverage, provider := e.stream.coverage.Load(), s.ProviderID()
	since, covered := coverage.since(provider)
	if !covered {
		e.interest.add(provider, MonotonicMS())
	}
	if !covered || confirmed <= since {
		return !connected && confirmed >= MonotonicMS()-maxStaleness.Milliseconds()
	}
	coverage.use(provider)
	if connected {
		return true
	}
	return max(confirmed, e.stream.heardAt.Load()) >= MonotonicMS()-maxStaleness.Milliseconds()
}

// heardOfEnds reports whether the edge has heard of the end of a session that was sold at
// the given time, if it ended and the backend could say so. It hears of the ends at the
// providers that it has to do with. What ended before it first heard of any is unknown to
// it in any case.
func (e *Edge) heardOfEnds(provider string, sold time.Time) bool {
	c := e.stream.coverage.Load()
	if c == nil {
		return true
	}
	since, covered := c.since(provider)
	if !covered || since <= c.began {
		return covered
	}
	return sold.UnixMilli() >= e.Clock.NowMS()-(MonotonicMS()-since)
}

// heldProviders returns the providers of the sessions that the edge holds.
func (e *Edge) heldProviders() map[string]bool {
	held := make(map[string]bool)
	e.Sessions.Each(func(s *live.Session) { held[s.ProviderID()] = true })
	return held
}

// Site says that a site of the configuration is a provider's, until release is called. The
// edge hears of the changes of its sessions before the first of them is used.
func (e *Edge) Site(provider string) (release func()) {
	return e.interest.site(provider, MonotonicMS)
}

// recentEvents remembers when an event of a session came last, or of another session with
// the same hash.
type recentEvents struct {
	at [1 << 14]atomic.Int64 // monotonic ms
}

var recentSeed = maphash.MakeSeed()

func (r *recentEvents) slot(id string) *atomic.Int64 {
	return &r.at[maphash.String(recentSeed, id)%uint64(len(r.at))]
}

func (r *recentEvents) add(id string, now int64) { r.slot(id).Store(now) }

// since reports whether an event may have come at that time or later.
func (r *recentEvents) since(id string, at int64) bool {
	last := r.slot(id).Load()
	return last > 0 && last >= at
}
