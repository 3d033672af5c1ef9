// Package coord shares short-lived state between requests and between backends:
// the live states of sessions, the stream of their changes, and rate limits.
//
// The database stays the source of truth. Everything in this package may be lost
// and is then read from the database again. A subscriber that missed events which
// are no longer available receives a batch with [Batch.Reset] set. States are
// opaque bytes with a version; an older version never replaces a newer one.
package coord

import (
	"errors"
	"time"
)

// State is the live state of one session, or the site settings of one provider.
type State struct {
	ID      string
	Version int64
	Data    []byte // JSON, as edges receive it; never changed once published
	// When the state may be dropped from memory: nothing asks for it after that.
	Forget time.Time
}

// Version names one version of a session's state.
type Version struct {
	ID      string
	Version int64
}

// Event is one change on the stream.
type Event struct {
	// Opaque. Subscribing with this ID resumes the stream after this event.
	ID string
	// Whose session changed; "" if that is not known.
	Provider string
	Data     []byte // JSON of the state; never changed
	// Frame is the whole event as a server-sent event with the name state, or site.
	Frame []byte
}

// Batch is the result of one read: the events since the previous batch, at most
// maxBatch of them.
type Batch struct {
	// Events were lost. The subscriber must read every state again.
	Reset  bool
	Events []Event
	// Subscribing with this ID resumes the stream after this batch. It is set even
	// when the batch has no events.
	ID string
}

// Limit is a rate limit: one use per Interval on average, and up to Burst uses
// at once.
type Limit struct {
	Interval time.Duration
	Burst    int
}

// limitUse applies the generic cell rate algorithm (GCRA) to one use of a limit.
// due is the stored theoretical arrival time of the key. limitUse returns the new
// time to store, and how long to wait if the use is refused, or 0.
//
// A due further ahead than a full burst comes from a clock that was set back since: it
// must not refuse uses until the clock is there again.
func limitUse(due, now time.Time, l Limit) (next time.Time, wait time.Duration) {
	if due.Before(now) || due.Sub(now) > l.Interval*time.Duration(max(1, l.Burst)+1) {
		due = now
	}
	next = due.Add(l.Interval)
	if wait := next.Sub(now) - l.Interval*time.Duration(max(1, l.Burst)); wait > 0 {
		return due, wait
	}
	return next, 0
}

// ErrDown is returned while the change stream is unavailable. Subscribers poll for
// states until it is available again.
var ErrDown = errors.New("the change stream is down")
