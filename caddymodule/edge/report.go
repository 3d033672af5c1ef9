package edge

import (
	"runtime/debug"
	"sync"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	// reportEvery is how often an edge counts its running sessions, and tells what
	// became of pages.
	reportEvery = 10 * time.Second
	// plainFor is how long an edge says nothing of itself to a backend that
	// refused a batch for it: one from before edges did.
	plainFor = 10 * time.Minute
)

// reporter is what an edge tells the backend of itself, beside heartbeats. Used by
// the loop that sends those, alone.
type reporter struct {
	edge *Edge

	countedAt time.Time
	running   int64
	pagesAt   time.Time // when pages were told last
	plainTill time.Time // say nothing before that
	// Do not tell the options of sites before that.
	noSitesTill time.Time
}

// self is who the edge is and how it does.
func (r *reporter) self(now time.Time) *protocol.EdgeReport {
	if now.Sub(r.countedAt) >= reportEvery {
		r.running, r.countedAt = r.edge.Sessions.CountLive(), now
	}
	lag := int64(-1)
	if heard := r.edge.stream.heardAt.Load(); heard > 0 {
		lag = max(0, MonotonicMS()-heard)
	}
	report := &protocol.EdgeReport{
		Version: Version(), StartedAt: processStart.Unix(), LiveSessions: r.running, StreamLagMS: lag,
	}
	if !now.Before(r.noSitesTill) {
		report.Sites = r.edge.options.report()
	}
	return report
}

// add puts into a batch what there is to report, and reports whether there was
// anything.
func (r *reporter) add(to *protocol.HeartbeatsRequest, now time.Time) bool {
	if r == nil || now.Before(r.plainTill) {
		return false
	}
	to.Edge = r.self(now)
	if now.Sub(r.pagesAt) >= reportEvery {
		r.pagesAt, to.Pages = now, r.edge.Pages.takeReports()
	}
	return true
}

// refused takes out of a batch what the backend may not have understood: the options of
// sites, then the whole report. Pages are not kept for it.
func (r *reporter) refused(from *protocol.HeartbeatsRequest, now time.Time) {
	if from.Edge != nil && from.Edge.Sites != nil {
		from.Edge.Sites = nil
		r.noSitesTill = now.Add(plainFor)
		return
	}
	from.Edge, from.Pages = nil, nil
	r.plainTill = now.Add(plainFor)
}

// drainPages gathers what is to be reported.
func (r *reporter) drainPages(now time.Time) {
	if r != nil {
		r.edge.Pages.drain(now)
	}
}

// putBack takes back what the backend did not get.
func (r *reporter) putBack(from *protocol.HeartbeatsRequest) {
	if r != nil {
		r.edge.Pages.putBack(from.Pages)
	}
}

const modulePath = "github.com/sessiongate/sessiongate"

// Version is the version of this module in the program that runs, or the
// commit that it was built from.
var Version = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range info.Deps {
		if m.Path == modulePath {
			return m.Version
		}
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "devel"
})
