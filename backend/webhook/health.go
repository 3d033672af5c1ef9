package webhook

import (
	"net/http"
	"time"
)

const (
	// After this long without a failed attempt, what failed before says nothing: nothing
	// was sent meanwhile, or the service was down. It is longer than any wait for a retry.
	forgetFailures = 48 * time.Hour
	// The wait after the first failed attempt. It doubles with each further one.
	firstBackoff = time.Second
	maxBackoff   = time.Minute
	// The longest wait that a Retry-After header can ask for all deliveries of an
	// endpoint.
	maxEndpointWait = time.Hour
)

// Health is what attempts have shown about an endpoint. The zero Health is that of an
// endpoint whose last attempt succeeded.
type Health struct {
	// The time since which every attempt has failed, and the last failure.
	FailingSince, LastFailed time.Time
	// The failed attempts, one after another.
	Failures int64
	// When the endpoint may be called again.
	RetryAt time.Time
}

// After returns the health after an attempt with result r that ended at the time now.
// A failing endpoint gets one attempt at a time and a growing wait after each, however
// much is due: a receiver that fails at once would otherwise be called as fast as it
// answers. random is within [0, 1).
func (h Health) After(r Result, now time.Time, random float64) Health {
	if r.OK() {
		return Health{}
	}
	if h.FailingSince.IsZero() || now.Sub(h.LastFailed) > forgetFailures {
		h = Health{FailingSince: now}
	}
	if h.FailingSince.After(now) { // the clock was set back
		h.FailingSince = now
	}
	h.LastFailed = now
	asked := time.Duration(0)
	if r.Code == http.StatusTooManyRequests || r.Code == http.StatusServiceUnavailable {
		asked = min(r.RetryAfter, maxEndpointWait)
	}
	// An attempt that ran at the same time as a failed one says nothing new.
	if h.Failures == 0 || !now.Before(h.RetryAt) {
		h.Failures++
	}
	wait := max(asked, backoff(h.Failures))
	wait += time.Duration(float64(wait) * jitterShare * random)
	if at := now.Add(wait); at.After(h.RetryAt) {
		h.RetryAt = at
	}
	return h
}

// GivesUp reports whether an endpoint with this health is disabled: every attempt
// failed for [DisableAfter].
func (h Health) GivesUp() bool {
	return !h.FailingSince.IsZero() && h.LastFailed.Sub(h.FailingSince) >= DisableAfter
}

// backoff is the wait after a number of failures, the first being 1.
func backoff(failures int64) time.Duration {
	wait := firstBackoff
	for i := int64(1); i < failures && wait < maxBackoff; i++ {
		wait *= 2
	}
	return min(wait, maxBackoff)
}
