package webhook

import (
	"net/http"
	"strconv"
	"time"
)

// retries is how long to wait after each failed try.
var retries = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour,
}

const (
	// MaxTries is the first try and one after each wait.
	MaxTries = 8
	// DisableAfter is how long every attempt must have failed before we give an
	// endpoint up.
	DisableAfter = 5 * 24 * time.Hour
	// No receiver puts us off for longer.
	maxRetryAfter = 24 * time.Hour
	// Waits grow by up to this share, so that what failed together does not
	// come back together.
	jitterShare = 0.2
)

// Status is where a delivery stands.
type Status string

// The states of a delivery.
const (
	Pending   Status = "pending"
	Delivered Status = "delivered"
	Failed    Status = "failed"
)

// Result is how one attempt went.
type Result struct {
	// The HTTP status; 0: no answer came.
	Code int
	// The answer's beginning, or why there was none.
	Response string
	At       time.Time
	Took     time.Duration
	// What the receiver asked for by Retry-After.
	RetryAfter time.Duration
}

// OK reports whether the receiver took the delivery.
func (r Result) OK() bool { return r.Code >= 200 && r.Code < 300 }

// Decision is what follows from an attempt.
type Decision struct {
	Status Status
	// When to try again, with [Pending].
	Next time.Time
	// The receiver is gone for good.
	Gone bool
}

// Decide says what follows from the try with this number, the first being 1.
// random is within [0, 1).
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

// GivesUp reports whether an endpoint that has failed since then is disabled.
func GivesUp(failingSince, now time.Time) bool { return now.Sub(failingSince) >= DisableAfter }

// retryAfter reads a Retry-After header: seconds, or a date.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		return time.Duration(max(0, seconds)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
