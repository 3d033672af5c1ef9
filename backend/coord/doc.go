// Package coord is what several requests, and later several backends, must
// agree on beside the record: the live states of sessions, the stream of their
// changes, and rate limits.
//
// Nothing here is a record. Whatever is lost is read again from SQL, and a
// subscriber that cannot be given what it missed is told so by [Batch.Reset].
// States travel as opaque bytes with a version; an older version never
// replaces a newer one.
package coord

import "time"

// State is the live state of one session.
type State struct {
	ID      string
	Version int64
	Data    []byte // JSON, as edges receive it; never changed once published
	// When nobody will ask for it any more.
	Forget time.Time
}

// Event is one change on the stream.
type Event struct {
	// Opaque; resumes the stream after this event.
	ID   string
	Data []byte
}

// Batch is what a subscriber gets at once: all events since the last batch.
type Batch struct {
	// Events were missed for good: ask for every state again.
	Reset  bool
	Events []Event
	// Resumes the stream after this batch, also when it has no events.
	ID string
}

// Limit is how often something may happen: on average one every Interval, with
// Burst at once.
type Limit struct {
	Interval time.Duration
	Burst    int
}

// take decides one use of a limit by the generic cell rate algorithm (GCRA):
// due is the key's stored theoretical arrival time. It returns the time to
// store, and how long to wait if the use is refused.
func take(due, now time.Time, l Limit) (next time.Time, wait time.Duration) {
	if due.Before(now) {
		due = now
	}
	next = due.Add(l.Interval)
	if wait := next.Sub(now) - l.Interval*time.Duration(max(1, l.Burst)); wait > 0 {
		return due, wait
	}
	return next, 0
}
