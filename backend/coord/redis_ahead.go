package coord

import (
	"strconv"
	"strings"
	"time"
)

// aheadWait is how long a subscriber waits for an event that another process has told it
// of, and that this one has not read yet.
const aheadWait = 500 * time.Millisecond

// awaitEvent waits until this process has read the event with this id, if the event may
// still come. All processes read the same stream, but one reads an event some milliseconds
// before another; an edge that goes on at another one must not be reset for that.
func (r *Redis) awaitEvent(id string) {
	at, ok := parseStreamID(id)
	if !ok {
		return
	}
	for end := time.Now().Add(aheadWait); r.events.isBefore(at, id) && time.Now().Before(end); {
		time.Sleep(gatherFor)
	}
}

// isBefore reports whether the newest event in the log is an earlier one than the event at
// a place in a Redis stream.
func (l *eventLog) isBefore(at [2]uint64, id string) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if _, known := l.numbers[id]; known || l.down {
		return false
	}
	if l.first == l.head {
		return true
	}
	newest, ok := parseStreamID(l.ring[(l.head-1)%int64(len(l.ring))].ID)
	return ok && (newest[0] < at[0] || newest[0] == at[0] && newest[1] < at[1])
}

// parseStreamID reads the id of an event in a Redis stream: its time and its number.
func parseStreamID(id string) (at [2]uint64, ok bool) {
	before, after, ok := strings.Cut(id, "-")
	if !ok {
		return at, false
	}
	for i, digits := range []string{before, after} {
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil {
			return at, false
		}
		at[i] = n
	}
	return at, true
}
