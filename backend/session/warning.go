package session

import (
	"slices"
	"time"
)

const (
	// A user gets at least this many seconds to respond to a warning (WCAG 2.2.1).
	leastNotice = 20
	// A shorter session has no warning, unless its thresholds are in its second half.
	shortestWarned = 30
)

// defaultWarnings are the thresholds of a session whose terms name none.
var defaultWarnings = []int64{300, 60}

// WarningThresholds returns the seconds before the end at which the user of a session
// of total seconds is warned, largest first: those that lie in its second half, else
// one of 20 s, else none. The clock in the page warns by the same rule, so that a
// provider's server is told of the warnings that the user sees. Both are tested with
// testdata/warnings.json.
func WarningThresholds(configured []int64, total int64) []int64 {
	if len(configured) == 0 {
		configured = defaultWarnings
	}
	kept := []int64{}
	for _, w := range configured {
		if w > 0 && w <= total/2 {
			kept = append(kept, w)
		}
	}
	if len(kept) == 0 && total >= shortestWarned {
		return []int64{leastNotice}
	}
	slices.SortFunc(kept, func(a, b int64) int { return int(b - a) })
	return kept
}

// nextWarning returns the time of the first warning that is after now and after the
// start, or 0 if there is none.
func (s *Session) nextWarning(now time.Time) int64 {
	var next int64
	for _, w := range WarningThresholds(s.Terms.WarningSeconds, s.Duration) {
		at := s.ExpiresAt - w
		if at > floor(now) && at > s.StartedAt && at < s.ExpiresAt && (next == 0 || at < next) {
			next = at
		}
	}
	return next
}
