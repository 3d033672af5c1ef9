package edge

import (
	"sync/atomic"
	"time"
)

// sampleLife is how long the best clock sample is preferred to newer ones.
const sampleLife = time.Minute

// clockStep is a difference in ms that is no contradiction: clocks drift, and
// answers are stamped a little before they leave.
const clockStep = 250

// Clock tells the backend's time. Deadlines are the backend's, so the edge
// judges by its clock, measured, and counts on monotonic time in between: a
// wrong or jumping clock on this machine moves no deadline.
type Clock struct {
	best atomic.Pointer[clockSample]
}

// clockSample says that at the local moment at the backend's clock showed serverMS,
// give or take half of rtt.
type clockSample struct {
	at       time.Time // carries a monotonic reading
	serverMS int64
	rtt      time.Duration
}

// observe takes one answer of the backend into account: asked and answered are
// when the request left and its answer came.
func (c *Clock) observe(asked, answered time.Time, serverMS int64) {
	if serverMS <= 0 {
		return
	}
	rtt := answered.Sub(asked)
	s := &clockSample{at: asked.Add(rtt / 2), serverMS: serverMS, rtt: rtt}
	best := c.best.Load()
	if best == nil || rtt <= best.rtt || answered.Sub(best.at) > sampleLife || best.contradicts(s) {
		c.best.Store(s)
	}
}

// contradicts reports that no time of the backend's lies within the bounds of
// both: its clock was set, or this machine stood still and its own did too.
func (s *clockSample) contradicts(newer *clockSample) bool {
	off := newer.serverMS - s.serverMS - newer.at.Sub(s.at).Milliseconds()
	return max(off, -off) > (s.rtt+newer.rtt).Milliseconds()/2+clockStep
}

// NowMS is the backend's time in Unix milliseconds; this machine's own until
// the backend has answered once.
func (c *Clock) NowMS() int64 {
	s := c.best.Load()
	if s == nil {
		return time.Now().UnixMilli()
	}
	return s.serverMS + time.Since(s.at).Milliseconds()
}

// processStart is when this process started, with a monotonic reading.
var processStart = time.Now()

// MonotonicMS counts milliseconds since this process started.
func MonotonicMS() int64 { return time.Since(processStart).Milliseconds() }
