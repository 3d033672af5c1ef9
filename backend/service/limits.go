package service

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/store"
)

// Limits are all limits of the service that an operator can set. A zero value stands for
// the default, and [Unlimited] for no limit. [Limits.List] describes them.
type Limits struct {
	KeyRate, AddressRate, SessionRate, HostRate, CertificateRate int64

	SignInsPerAddress, SignInsPerKey int64

	EventBatches, EventsPerSession, EventNamesPerSession, EventBytesPerSession, EventsPerProvider, EventBytesPerProvider int64
	KeepEventDays, KeepEventCountDays                                                                                    int64

	PausesPerSession, AnswersPerSession, AnswersPerProvider int64

	ReadsPerCaller, Reads, Replays int64
}

// Unlimited is the value of a limit that does not apply.
const Unlimited = -1

// Limit is one of the [Limits], as operators and the API see it.
type Limit struct {
	Name    string // as in --limit NAME=VALUE
	Value   int64  // in force
	Default int64
	Unit    string
	Of      string // what is limited

	field *int64
}

// List describes the limits, in the order of their documentation.
func (l *Limits) List() []Limit {
	list := []Limit{
		{"key_rate", 0, 2000, "requests per second", "one API key; bursts of twice as many", &l.KeyRate},
		{"address_rate", 0, 100, "requests per second", "one address with a wrong key, or at endpoints that need no key; bursts of twice as many", &l.AddressRate},
		{"session_rate", 0, 20, "requests per second", "one session's own token; bursts of five times as many", &l.SessionRate},
		{"host_rate", 0, 200, "look-ups per second", "hosts that one edge key asks for; apart from key_rate, so that entries do not wait for look-ups", &l.HostRate},
		{"certificate_rate", 0, 100, "look-ups per second", "hosts that one edge key asks for before it obtains a certificate; apart from host_rate", &l.CertificateRate},
		{"sign_ins_per_address", 0, 60, "attempts per minute", "one address that signs in with a key, a link or an identity provider", &l.SignInsPerAddress},
		{"sign_ins_per_key", 0, 200, "sign-ins per 12 hours", "one API key, portal link or person", &l.SignInsPerKey},
		{"event_batches", 0, 60, "batches per minute", "page events of one session; up to 100 events each", &l.EventBatches},
		{"events_per_session", 0, 5000, "events", "page events of one session", &l.EventsPerSession},
		{"event_names_per_session", 0, 100, "names", "different names of the page events of one session", &l.EventNamesPerSession},
		{"event_bytes_per_session", 0, 1 << 20, "bytes", "names and properties of the page events of one session", &l.EventBytesPerSession},
		{"events_per_provider", 0, 500_000, "events per day", "page events of one provider; days are UTC", &l.EventsPerProvider},
		{"event_bytes_per_provider", 0, 256 << 20, "bytes per day", "names and properties of the page events of one provider", &l.EventBytesPerProvider},
		{"keep_event_days", 0, 90, "days", "page events in the stories of sessions are kept", &l.KeepEventDays},
		{"keep_event_count_days", 0, 800, "days", "counts of page events by day and name are kept", &l.KeepEventCountDays},
		{"pauses_per_session", 0, 1000, "pauses", "one session, whatever its provider's policy allows", &l.PausesPerSession},
		{"answers_per_session", 0, 10_000, "writes per day", "with an Idempotency-Key, of one session's own token", &l.AnswersPerSession},
		{"answers_per_provider", 0, 20_000, "writes per day", "with an Idempotency-Key, of one provider's keys and people together", &l.AnswersPerProvider},
		{"reads_per_caller", 0, 16, "requests at once", "lists, searches, analytics, exports and CSV files of one caller; all keys and people of a provider are one caller, and all keys of a marketplace", &l.ReadsPerCaller},
		{"reads", 0, 128, "requests at once", "the same, of all callers", &l.Reads},
		{"replays", 0, 30, "requests per minute", "replays of webhook deliveries, of one provider", &l.Replays},
	}
	for i := range list {
		list[i].Value = cmp.Or(*list[i].field, list[i].Default)
	}
	return list
}

// Set sets one limit from NAME=VALUE.
func (l *Limits) Set(text string) error {
	name, value, ok := strings.Cut(strings.TrimSpace(text), "=")
	names := make([]string, 0, 32)
	for _, known := range new(Limits).List() {
		names = append(names, known.Name)
	}
	i := slices.Index(names, strings.TrimSpace(name))
	if !ok || i < 0 {
		return fmt.Errorf("limit %q must be NAME=VALUE; names are %s", text, strings.Join(names, ", "))
	}
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if err != nil || n == 0 || n < Unlimited {
		return fmt.Errorf("limit %s is %q; it must be a whole number of 1 or more, or -1 for no limit", names[i], value)
	}
	if n > maxLimit {
		return fmt.Errorf("limit %s must not exceed %d", names[i], int64(maxLimit))
	}
	*l.List()[i].field = n
	return nil
}

// maxLimit keeps sums and durations within their types.
const maxLimit = 1 << 40

// withDefaults returns l without zero values.
func (l Limits) withDefaults() Limits {
	for _, x := range l.List() {
		*x.field = x.Value
	}
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
