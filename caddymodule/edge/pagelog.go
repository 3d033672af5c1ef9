package edge

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/sessiongate/sessiongate/caddymodule/inject"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	// pageSlots is how many pages may be noted between two looks, a second
	// apart; more are counted by the metric alone. A power of two.
	pageSlots = 512
	// maxPages is how many different pages wait to be reported.
	maxPages = protocol.MaxPages
	maxHost  = 255
)

// PageLog records the injection results of HTML pages. Adding one takes no lock and
// allocates nothing: it keeps the request's own strings until the reporting loop
// drains the log.
type PageLog struct {
	next  atomic.Uint32
	slots [pageSlots]pageSlot

	// Used by the reporting loop alone.
	pending map[pageKey]*protocol.PageReport
}

// Of a slot.
const (
	slotFree uint32 = iota
	slotBusy
	slotReady
)

type pageSlot struct {
	state atomic.Uint32 // who may touch the rest: free: who makes it busy; ready: the loop
	page  ServedPage
}

// ServedPage is one page that was served.
type ServedPage struct {
	ProviderID, UserID, Host, Path string
	Outcome                        inject.Outcome
}

type pageKey struct{ provider, host, path, outcome string }

// isPage reports whether an outcome is an HTML page's.
func isPage(o inject.Outcome) bool {
	switch o.Reason {
	case inject.ReasonUnanswered, inject.ReasonNotNavigation, inject.ReasonUpgraded, inject.ReasonHead,
		inject.ReasonStatus, inject.ReasonContentType:
		return false
	}
	return true
}

// Add remembers a page, if it is one and there is room.
func (l *PageLog) Add(seen ServedPage) {
	if !isPage(seen.Outcome) {
		return
	}
	s := &l.slots[l.next.Add(1)%pageSlots]
	if s.state.CompareAndSwap(slotFree, slotBusy) {
		s.page = seen
		s.state.Store(slotReady)
	}
}

// drain gathers what was noted since it looked last, in the form that may leave
// the edge.
func (l *PageLog) drain(now time.Time) {
	for i := range l.slots {
		s := &l.slots[i]
		if s.state.Load() != slotReady {
			continue
		}
		seen := s.page
		s.page = ServedPage{}
		s.state.Store(slotFree)
		host := strings.ToLower(seen.Host)
		if len(host) > maxHost {
			continue
		}
		l.merge(protocol.PageReport{
			ProviderID: seen.ProviderID, Host: host, Path: protocol.ReducePath(seen.Path, seen.UserID),
			Outcome: seen.Outcome.String(), Count: 1, LastAt: now.Unix(),
		})
	}
}

func (l *PageLog) merge(p protocol.PageReport) {
	if l.pending == nil {
		l.pending = make(map[pageKey]*protocol.PageReport)
	}
	key := pageKey{p.ProviderID, p.Host, p.Path, p.Outcome}
	if old := l.pending[key]; old != nil {
		old.Count += p.Count
		old.LastAt = max(old.LastAt, p.LastAt)
	} else if len(l.pending) < maxPages {
		l.pending[key] = &p
	}
}

// takeReports returns what there is to report and forgets it.
func (l *PageLog) takeReports() (list []protocol.PageReport) {
	for _, p := range l.pending {
		list = append(list, *p)
	}
	clear(l.pending)
	return list
}

// putBack takes again what could not be reported.
func (l *PageLog) putBack(list []protocol.PageReport) {
	for _, p := range list {
		l.merge(p)
	}
}
