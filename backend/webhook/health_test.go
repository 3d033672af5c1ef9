package webhook

import (
	"testing"
	"time"
)

var day0 = time.Unix(1_800_000_000, 0)

// fail applies failed attempts at times after day0.
func fail(h Health, code int, after ...time.Duration) Health {
	for _, at := range after {
		h = h.After(Result{Code: code}, day0.Add(at), 0)
	}
	return h
}

func hours(n ...int) []time.Duration {
	list := make([]time.Duration, len(n))
	for i, h := range n {
		list[i] = time.Duration(h) * time.Hour
	}
	return list
}

func TestEndpointsAreGivenUpAfterDaysOfFailures(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		at   []int // hours of failed attempts
		want bool
	}{
		"one failure":                    {[]int{0}, false},
		"a day of failures":              {[]int{0, 1, 5, 24}, false},
		"five days, each day":            {[]int{0, 24, 48, 72, 96, 120}, true},
		"five days, every second day":    {[]int{0, 48, 96, 144}, true},
		"two failures in six days":       {[]int{0, 144}, false},
		"a silence, then one failure":    {[]int{0, 1, 3, 8, 18, 28, 160}, false},
		"a silence, then days":           {[]int{0, 160, 184, 208, 232, 256, 279}, false},
		"a silence, then five days":      {[]int{0, 160, 184, 208, 232, 256, 280}, true},
		"the clock was set back":         {[]int{200, 100, 0}, false},
		"set back, and failing for days": {[]int{200, 0, 24, 48, 72, 96, 119}, false},
		"set back, and failing for five": {[]int{200, 0, 24, 48, 72, 96, 120}, true},
	} {
		if got := fail(Health{}, 500, hours(tt.at...)...).GivesUp(); got != tt.want {
			t.Errorf("%s: given up: %v, want %v", name, got, tt.want)
		}
	}
	if h := fail(Health{}, 500, hours(0, 24, 48, 72, 96)...).After(Result{Code: 204}, day0.Add(97*time.Hour), 0); h != (Health{}) {
		t.Errorf("after a success: %+v", h)
	}
}

func TestEndpointsAreCalledAgainAfterGrowingWaits(t *testing.T) {
	t.Parallel()
	var h Health
	now := day0
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		h = h.After(Result{Code: 500}, now, 0)
		if wait := h.RetryAt.Sub(now); wait != want*time.Second {
			t.Errorf("after %d failures: %v, want %v", i+1, wait, want*time.Second)
		}
		now = h.RetryAt
	}
	if h = h.After(Result{Code: 200}, now, 0); h != (Health{}) {
		t.Errorf("after a success: %+v", h)
	}
	// Attempts that ran together fail together: one wait.
	if h = fail(Health{}, 500, 0, 0, time.Millisecond, time.Millisecond); h.Failures != 1 || h.RetryAt.Sub(day0) > 2*time.Second {
		t.Errorf("four at once: %+v", h)
	}
	if wait := (Health{}).After(Result{Code: 500}, day0, 0.999).RetryAt.Sub(day0); wait < time.Second || wait > 1200*time.Millisecond {
		t.Errorf("with jitter: %v", wait)
	}
	for name, tt := range map[string]struct {
		r    Result
		want time.Duration
	}{
		"429":                    {Result{Code: 429, RetryAfter: 5 * time.Minute}, 5 * time.Minute},
		"503":                    {Result{Code: 503, RetryAfter: 5 * time.Minute}, 5 * time.Minute},
		"for longer than we bow": {Result{Code: 429, RetryAfter: 24 * time.Hour}, time.Hour},
		"500 asks for nothing":   {Result{Code: 500, RetryAfter: 5 * time.Minute}, time.Second},
		"no answer":              {Result{}, time.Second},
	} {
		if wait := (Health{}).After(tt.r, day0, 0).RetryAt.Sub(day0); wait != tt.want {
			t.Errorf("%s: %v, want %v", name, wait, tt.want)
		}
	}
}
