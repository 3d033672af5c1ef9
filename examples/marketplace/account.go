package marketplace

import (
	"fmt"
	"math"
	"strconv"
)

// timeLine is a line of a session's account of time: what it added or took, in
// seconds.
type timeLine struct {
	Kind    string // bought, entered, relaunched, added, paused, resumed or unused
	Text    string
	At      int64
	Seconds int64
}

// timeAccount puts a session's timeline into an account of its seconds, oldest
// first, whose sum is what was used, or what there is as long as it runs. It
// notes in v how long the clock stood still.
func timeAccount(v *sessionView, events []Event, now int64) (list []timeLine, sum int64) {
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
	text, entered := "Time bought", "Entered, clock started"
	if v.Clock == "creation" {
		text, entered = "Time bought, clock started", "Entered"
	}
	add("bought", text, v.CreatedAt, bought)
	// Pauses count exactly and are shown in seconds that began.
	pausedAt, pausedMS, in := int64(0), int64(0), false
	stood := func(untilMS int64) string {
		pause := max(untilMS-pausedAt, 0)
		pausedAt = 0
		pausedMS += pause
		v.Paused = (pausedMS + 999) / 1000
		return clock((pause+999)/1000) + " not charged"
	}
	for _, e := range events {
		at := e.AtMS / 1000
		switch {
		case e.Kind == "extension" && e.Detail.By == "user":
			add("added", "Added in the app", at, e.Detail.Seconds)
		case e.Kind == "extension":
			add("added", "Added here", at, e.Detail.Seconds)
		case e.Kind != "session":
		case (e.Name == "redeemed" || e.Name == "started" && v.Clock != "creation") && !in:
			in = true
			add("entered", entered, at, 0)
		case e.Name == "relaunched":
			add("relaunched", "Opened again with a new link", at, 0)
		case e.Name == "paused":
			pausedAt = e.AtMS
			add("paused", "Paused", at, 0)
		case e.Name == "resumed":
			add("resumed", "Went on: "+stood(e.AtMS), at, 0)
		case e.Name == "ended":
			unused := v.DurationLimitSeconds - v.Used
			text := v.Outcome
			if unused > 0 {
				text += ", not used"
			}
			if pausedAt > 0 {
				text += "; paused until then, " + stood(e.AtMS)
			}
			add("unused", text, at, -unused)
		}
	}
	if pausedAt > 0 {
		v.Paused = (pausedMS + max(now*1000-pausedAt, 0) + 999) / 1000
	}
	return list, sum
}

// timeBar draws a session's time from the first second to the last: what was
// used, where the clock stood still, and what is left or was not used.
type timeBar struct {
	Spans []span
	// Where time was added.
	Marks []float64
}

// span is a part of the bar, in thousandths of its length.
type span struct {
	Kind string // used, paused or rest
	X, W float64
}

// newTimeBar is empty for a session whose clock never ran.
func newTimeBar(v sessionView, account []timeLine, now int64) timeBar {
	start := v.StartedAt
	if start == 0 || start > now {
		return timeBar{}
	}
	type part struct {
		kind    string
		seconds int64
	}
	var parts []part
	var marks []int64
	at, kind, over := start, "used", false
	to := func(moment int64, next string) {
		parts = append(parts, part{kind, max(moment-at, 0)})
		at, kind = max(moment, at), next
	}
	for _, l := range account {
		switch l.Kind {
		case "paused":
			to(l.At, "paused")
		case "resumed":
			to(l.At, "used")
		case "added":
			marks = append(marks, max(l.At-start, 0))
		case "unused":
			to(l.At, "rest")
			over = true
		}
	}
	rest := v.DurationLimitSeconds - v.Used
	if !over {
		to(now, "rest")
		rest = v.Left
	}
	parts = append(parts, part{"rest", max(rest, 0)})
	var total, x int64
	for _, p := range parts {
		total += p.seconds
	}
	var bar timeBar
	share := func(seconds int64) float64 { return math.Round(1e5*float64(seconds)/float64(max(total, 1))) / 100 }
	for _, p := range parts {
		if p.seconds > 0 {
			bar.Spans = append(bar.Spans, span{p.kind, share(x), share(p.seconds)})
		}
		x += p.seconds
	}
	for _, m := range marks {
		bar.Marks = append(bar.Marks, share(m))
	}
	return bar
}

// pricing says how the seconds became tokens.
func pricing(v sessionView) string {
	if v.DurationLimitSeconds == 0 || v.TokensAllocated == 0 || v.Status == "canceled" {
		return ""
	}
	if len(v.Purchases) > 1 {
		return pricingOfEach(v)
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

// pricingOfEach says what each purchase of a session cost.
func pricingOfEach(v sessionView) string {
	text := "Each purchase is settled at its own price, the first one first:"
	for i, p := range v.Purchases {
		if i > 0 {
			text += ";"
		}
		text += fmt.Sprintf(" %s for %s", duration(p.Seconds), tokens(p.Tokens))
		if v.Settlement != nil {
			text += fmt.Sprintf(", %s used, %s paid", clock(p.UsedSeconds), tokens(p.Captured))
		}
	}
	return text + "."
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
