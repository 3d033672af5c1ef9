package marketplace

import (
	"fmt"
	"math"
	"strconv"
)

// timeLine is a line of a session's account of time: what it added or took, in
// seconds.
type timeLine struct {
	Kind    string // bought, entered, added, paused, resumed or unused
	Text    string
	At      int64
	Seconds int64
}

// timeAccount puts a session's timeline into an account of its seconds, oldest
// first, whose sum is what was used, or what there is as long as it runs.
func timeAccount(v sessionView, events []Event) (list []timeLine, sum int64) {
	add := func(kind, text string, at, seconds int64) {
		list = append(list, timeLine{kind, text, at, seconds})
		sum += seconds
	}
	bought := v.DurationLimitSeconds
	for _, e := range events {
		if e.Kind == "extension" {
			bought -= e.Detail.Seconds
		}
	}
	add("bought", "Time bought", v.CreatedAt, bought)
	entered := false
	for _, e := range events {
		at := e.AtMS / 1000
		switch {
		case e.Kind == "extension" && e.Detail.By == "user":
			add("added", "Added in the app", at, e.Detail.Seconds)
		case e.Kind == "extension":
			add("added", "Added here", at, e.Detail.Seconds)
		case e.Kind != "session":
		case (e.Name == "started" || e.Name == "redeemed") && !entered:
			entered = true
			add("entered", "Clock started", at, 0)
		case e.Name == "paused":
			add("paused", "Clock stopped: paused", at, 0)
		case e.Name == "resumed":
			add("resumed", "Clock went on", at, 0)
		case e.Name == "ended":
			unused := v.DurationLimitSeconds - v.Used
			text := v.Outcome
			if unused > 0 {
				text += ", not used"
			}
			add("unused", text, at, -unused)
		}
	}
	return list, sum
}

// pricing says how the seconds became tokens.
func pricing(v sessionView) string {
	if v.DurationLimitSeconds == 0 || v.TokensAllocated == 0 || v.Status == "canceled" {
		return ""
	}
	each := float64(v.TokensAllocated) / float64(v.DurationLimitSeconds)
	text := fmt.Sprintf("%s for %s come to %s a second.", tokens(v.TokensAllocated), duration(v.DurationLimitSeconds), figure(each))
	st := v.Settlement
	switch {
	case st == nil:
	case st.Released == 0 && v.Used < v.DurationLimitSeconds && v.Status != "completed": // whose summary says it
		text += " This app charges for the whole time, used or not."
	case st.Captured > 0 && st.Released > 0:
		text += fmt.Sprintf(" You used %d seconds: %s, and so %s.", v.Used, figure(each*float64(v.Used)), tokens(st.Captured))
	}
	return text
}

// figure is a number with three digits that say something.
func figure(f float64) string {
	if f == 0 {
		return "0"
	}
	digits := max(0, 2-int(math.Floor(math.Log10(f))))
	return strconv.FormatFloat(f, 'f', min(digits, 6), 64)
}

// signedClock is a length of time with its sign.
func signedClock(seconds int64) string {
	switch {
	case seconds < 0:
		return "−" + clock(-seconds)
	case seconds > 0:
		return "+" + clock(seconds)
	}
	return "–"
}
