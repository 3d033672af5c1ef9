package webhook

import (
	"net/http"
	"strconv"
	"time"
)

// retries is the wait after each failed try.
var retries = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour,
}

const (
	// MaxTries is the number of tries: the first one, and one after each wait.
	MaxTries = 8
	// DisableAfter is how long every attempt must have failed before an endpoint is
	// disabled.
	DisableAfter = 5 * 24 * time.Hour
	// The longest wait that a Retry-After header can ask for.
	maxRetryAfter = 24 * time.Hour
	// The largest share that random jitter adds to a wait, so that deliveries that
	// failed together are not retried together.
	jitterShare = 0.2
)

// Status is the state of a delivery.
type Status string

// The states of a delivery.
const (
	Pending   Status = "pending"
	Delivered Status = "delivered"
	Failed    Status = "failed"
)

// Result is the outcome of one attempt.
type Result struct {
	// The HTTP status; 0 if there was no response.
	Code int
	// The beginning of the response body, or why there was no response.
	Response string
	At       time.Time
	Took     time.Duration
	// The wait that the receiver asked for with Retry-After.
	RetryAfter time.Duration
}

// OK reports whether the receiver accepted the delivery: any 2xx status.
func (r Result) OK() bool { return r.Code >= 200 && r.Code < 300 }

// Decision is the state of a delivery after an attempt.
type Decision struct {
	Status Status
	// When to try again, with [Pending].
	Next time.Time
	// The receiver answered 410 Gone: disable the endpoint.
	Gone bool
}

// Decide returns the state of a delivery after the try with the given number,
// counted from 1. random is in [0, 1) and sets the jitter.
func Decide(try int, r Result, random float64) Decision {
	switch {
	case r.OK():
		return Decision{Status: Delivered}
	case r.Code == http.StatusGone:
		return Decision{Status: Failed, Gone: true}
	case try < 1 || try > len(retries):
		return Decision{Status: Failed}
	}
	wait := max(retries[try-1], min(r.RetryAfter, maxRetryAfter))
	wait += time.Duration(float64(wait) * jitterShare * random)
	return Decision{Status: Pending, Next: r.At.Add(r.Took).Add(wait)}
}

// retryAfter parses a Retry-After header, which holds seconds or a date. It returns
// 0 if there is none or it is not valid.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		return time.Duration(max(0, seconds)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

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
