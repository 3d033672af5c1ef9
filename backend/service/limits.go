package service

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/limits"
)

// Limits are all limits of the service that an operator can set. A zero value stands for
// the default, and [limits.Unlimited] for no limit. [Limits.List] describes them.
type Limits struct {
	KeyRate, AddressRate, SessionRate, HostRate, CertificateRate int64

	SignInsPerAddress, SignInsPerKey int64

	EventBatches, EventsPerSession, EventNamesPerSession, EventBytesPerSession, EventsPerProvider, EventBytesPerProvider int64
	KeepEventDays, KeepEventCountDays                                                                                    int64

	PausesPerSession, AnswersPerSession, AnswersPerProvider int64

	ReadsPerCaller, Reads, Replays int64
}

// List describes the limits, in the order of their documentation.
func (l *Limits) List() limits.List {
	return limits.List{
		limits.At(&l.KeyRate, "key_rate", 2000, "requests per second", "one API key; bursts of twice as many"),
		limits.At(&l.AddressRate, "address_rate", 100, "requests per second", "one address with a wrong key, or at endpoints that need no key; bursts of twice as many"),
		limits.At(&l.SessionRate, "session_rate", 20, "requests per second", "one session's own token; bursts of five times as many"),
		limits.At(&l.HostRate, "host_rate", 200, "look-ups per second", "hosts that one edge key asks for; apart from key_rate, so that entries do not wait for look-ups"),
		limits.At(&l.CertificateRate, "certificate_rate", 100, "look-ups per second", "hosts that one edge key asks for before it obtains a certificate; apart from host_rate"),
		limits.At(&l.SignInsPerAddress, "sign_ins_per_address", 60, "attempts per minute", "one address that signs in with a key, a link or an identity provider"),
		limits.At(&l.SignInsPerKey, "sign_ins_per_key", 200, "sign-ins per 12 hours", "one API key, portal link or person"),
		limits.At(&l.EventBatches, "event_batches", 60, "batches per minute", "page events of one session; up to 100 events each"),
		limits.At(&l.EventsPerSession, "events_per_session", 5000, "events", "page events of one session"),
		limits.At(&l.EventNamesPerSession, "event_names_per_session", 100, "names", "different names of the page events of one session"),
		limits.At(&l.EventBytesPerSession, "event_bytes_per_session", 1<<20, "bytes", "names and properties of the page events of one session"),
		limits.At(&l.EventsPerProvider, "events_per_provider", 500_000, "events per day", "page events of one provider; days are UTC"),
		limits.At(&l.EventBytesPerProvider, "event_bytes_per_provider", 256<<20, "bytes per day", "names and properties of the page events of one provider"),
		limits.At(&l.KeepEventDays, "keep_event_days", 90, "days", "page events in the stories of sessions are kept"),
		limits.At(&l.KeepEventCountDays, "keep_event_count_days", 800, "days", "counts of page events by day and name are kept"),
		limits.At(&l.PausesPerSession, "pauses_per_session", 1000, "pauses", "one session, whatever its provider's policy allows"),
		limits.At(&l.AnswersPerSession, "answers_per_session", 10_000, "writes per day", "with an Idempotency-Key, of one session's own token"),
		limits.At(&l.AnswersPerProvider, "answers_per_provider", 20_000, "writes per day", "with an Idempotency-Key, of one provider's keys and people together"),
		limits.At(&l.ReadsPerCaller, "reads_per_caller", 16, "requests at once", "lists, searches, analytics, exports and CSV files of one caller; all keys and people of a provider are one caller, and all keys of a marketplace"),
		limits.At(&l.Reads, "reads", 128, "requests at once", "the same, of all callers"),
		limits.At(&l.Replays, "replays", 30, "requests per minute", "replays of webhook deliveries, of one provider"),
	}
}

// Set sets one limit from NAME=VALUE.
func (l *Limits) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	list := l.List()
	x, known := list.Named(strings.TrimSpace(name))
	if !ok || !known {
		return fmt.Errorf("limit %q must be NAME=VALUE; names are %s", text, list.Names())
	}
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if err != nil || n == 0 || n < limits.Unlimited {
		return fmt.Errorf("limit %s is %q; it must be a whole number of 1 or more, or -1 for no limit", x.Name, value)
	}
	if n > maxLimit {
		return fmt.Errorf("limit %s must not exceed %d", x.Name, int64(maxLimit))
	}
	x.Set(n)
	return nil
}

// maxLimit keeps sums and durations within their types.
const maxLimit = 1 << 40

// withDefaults returns l without zero values.
func (l Limits) withDefaults() Limits {
	l.List().Fill()
	return l
}

// every returns a rate limit of n uses in each period, all of them at once if need be.
func every(period time.Duration, n int64) coord.Limit { return burst(period, n, n) }

// burst returns a rate limit of n uses in each period on average, and most at once.
func burst(period time.Duration, n, most int64) coord.Limit {
	if n < 0 {
		return coord.Limit{}
	}
	return coord.Limit{Interval: max(1, period/time.Duration(max(1, n))), Burst: int(min(most, math.MaxInt32))}
}

// most returns a limit as a largest number.
func most(n int64) int64 {
	if n < 0 {
		return math.MaxInt64 / 2
	}
	return n
}

// eventCaps are the caps of page events.
func (l Limits) eventCaps() store.EventCaps {
	return store.EventCaps{
		SessionEvents: most(l.EventsPerSession), SessionNames: most(l.EventNamesPerSession), SessionBytes: most(l.EventBytesPerSession),
		DayEvents: most(l.EventsPerProvider), DayBytes: most(l.EventBytesPerProvider),
	}
}
