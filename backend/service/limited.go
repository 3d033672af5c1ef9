package service

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/limits"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// limited refuses a use that exceeds a rate limit. name is the limit's, which metrics
// count; key is whose uses are counted.
func (s *Service) limited(ctx context.Context, name, key string, l coord.Limit) error {
	if l.Interval == 0 {
		return nil
	}
	wait, err := s.limit.Allow(ctx, name+":"+key, l)
	if err != nil {
		return fmt.Errorf("limiting: %w", err)
	}
	if wait > 0 {
		s.metric.limited.WithLabelValues(name).Inc()
		return &Refusal{Code: protocol.RateLimited, Detail: "Too many requests.", Cause: &WaitError{wait}}
	}
	return nil
}

// Limits lists the limits in force.
func (s *Service) Limits() limits.List {
	l := s.limits
	return l.List()
}

// Budget is a rate limit of its own, which some routes have.
type Budget string

// The budgets of callers. Look-ups of hosts, which strangers cause at an edge, must not
// use up what the edge needs to redeem launches.
const (
	OwnBudget         Budget = ""
	HostBudget        Budget = "host_rate"
	CertificateBudget Budget = "certificate_rate"
)

// LimitAddress refuses requests without a key that exceed the limit of their address.
func (s *Service) LimitAddress(ctx context.Context, address string) error {
	return s.limited(ctx, "address_rate", networkOf(address), burst(time.Second, s.limits.AddressRate, 2*s.limits.AddressRate))
}

// LimitSignIn refuses attempts to sign in that exceed the limit of their address.
func (s *Service) LimitSignIn(ctx context.Context, address string) error {
	return s.limited(ctx, "sign_ins_per_address", networkOf(address), every(time.Minute, s.limits.SignInsPerAddress))
}

// networkOf is an IPv4 address, or the network of an IPv6 address, of which one customer
// usually has 64 bits. Other texts stay as they are.
func networkOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap().WithZone(""); ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip, 64).Masked().String()
}

// LimitCaller refuses requests that exceed the limit of their caller.
func (s *Service) LimitCaller(ctx context.Context, c Caller, b Budget) error {
	l := s.limits
	switch {
	case c.Role == RoleSession || c.Role == RoleLaunch:
		return s.limited(ctx, "session_rate", c.Scope, burst(time.Second, l.SessionRate, 5*l.SessionRate))
	case b == HostBudget:
		return s.limited(ctx, string(b), c.Scope, burst(time.Second, l.HostRate, 2*l.HostRate))
	case b == CertificateBudget:
		return s.limited(ctx, string(b), c.Scope, burst(time.Second, l.CertificateRate, 2*l.CertificateRate))
	}
	return s.limited(ctx, "key_rate", c.Scope, burst(time.Second, l.KeyRate, 2*l.KeyRate))
}

// LimitAnswers refuses writes whose answers would fill the table of idempotency keys.
// Marketplaces and administrators are limited by key_rate alone.
func (s *Service) LimitAnswers(ctx context.Context, c Caller) error {
	day := store.IdempotencyTTL
	switch c.Role {
	case RoleSession, RoleLaunch:
		return s.limited(ctx, "answers_per_session", c.Scope, every(day, s.limits.AnswersPerSession))
	case RoleProvider:
		return s.limited(ctx, "answers_per_provider", c.ProviderID, every(day, s.limits.AnswersPerProvider))
	}
	return nil
}

// limitReplays refuses replays of webhook deliveries that exceed the provider's limit.
func (s *Service) limitReplays(ctx context.Context, providerID string) error {
	return s.limited(ctx, "replays", providerID, every(time.Minute, s.limits.Replays))
}

// limitPauses refuses the pause of a session that had too many.
func (s *Service) limitPauses(c session.Session) error {
	if c.PauseCount < most(s.limits.PausesPerSession) {
		return nil
	}
	s.metric.limited.WithLabelValues("pauses_per_session").Inc()
	return &Refusal{Code: protocol.LimitReached, SessionID: c.ID, Detail: fmt.Sprintf("The session has been paused %d times, which is the limit.", c.PauseCount)}
}

// eventsFull explains an [store.EventsFullError]; other errors stay as they are.
func (s *Service) eventsFull(err error) error {
	full, ok := errors.AsType[*store.EventsFullError](err)
	if !ok {
		return err
	}
	switch full.Bound {
	case store.SessionNames:
		s.metric.limited.WithLabelValues("event_names_per_session").Inc()
		return &Refusal{Code: protocol.LimitReached, Cause: err, Detail: fmt.Sprintf("The session's pages have used %d different event names, which is the limit. Send no further names.", s.limits.EventNamesPerSession)}
	case store.DayEvents:
		s.metric.limited.WithLabelValues("events_per_provider").Inc()
		now := s.now().UTC()
		tomorrow := now.Truncate(24 * time.Hour).Add(24 * time.Hour)
		return &Refusal{Code: protocol.RateLimited, Detail: "The provider's pages have reported as many events today (UTC) as the service records.", Cause: errors.Join(err, &WaitError{tomorrow.Sub(now)})}
	}
	s.metric.limited.WithLabelValues("events_per_session").Inc()
	return &Refusal{Code: protocol.LimitReached, Cause: err, Detail: "The session's pages have reported as many events as the service records of one session."}
}

// forgetPageEvents removes the page events, and their counts by day, that are older than
// the operator keeps them.
func (s *Service) forgetPageEvents(ctx context.Context, now time.Time) error {
	before, firstDay := time.Unix(0, 0), int64(0)
	if days := s.limits.KeepEventDays; days > 0 {
		before = now.Add(-time.Duration(min(days, maxKeepDays)) * 24 * time.Hour)
	}
	if days := s.limits.KeepEventCountDays; days > 0 {
		firstDay = now.Unix()/86400 - min(days, maxKeepDays)
	}
	return s.store.ForgetPageEvents(ctx, before, firstDay)
}

// maxKeepDays is a century, which a duration can hold.
const maxKeepDays = 36525

// reading counts the expensive reads that are under way. It is safe for concurrent use.
type reading struct {
	mu  sync.Mutex // guards all below
	all int64
	by  map[string]int64
}

// BeginRead makes room for an expensive read of a caller, until end is called. It refuses
// when the caller, or all callers together, have too many under way.
func (s *Service) BeginRead(c Caller) (end func(), err error) {
	key := c.Scope
	switch {
	case c.Role == RoleProvider:
		key = "provider:" + c.ProviderID
	case c.Role == RoleMarketplace && c.MarketplaceID != "":
		key = "marketplace:" + c.MarketplaceID
	}
	r := &s.reading
	r.mu.Lock()
	defer r.mu.Unlock()
	name := ""
	switch {
	case r.by[key] >= most(s.limits.ReadsPerCaller):
		name = "reads_per_caller"
	case r.all >= most(s.limits.Reads):
		name = "reads"
	}
	if name != "" {
		s.metric.limited.WithLabelValues(name).Inc()
		return nil, &Refusal{Code: protocol.RateLimited, Detail: "Too many lists and exports are read at once. Wait for one to end.", Cause: &WaitError{time.Second}}
	}
	if r.by == nil {
		r.by = map[string]int64{}
	}
	r.all++
	r.by[key]++
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all--
		if r.by[key]--; r.by[key] == 0 {
			delete(r.by, key)
		}
	}), nil
}

// keyUse collects the times at which keys were used, until they are written.
type keyUse struct {
	mu   sync.Mutex // guards used
	used map[string]int64
}

// note records a use of a key, at most once a minute.
func (u *keyUse) note(k store.APIKey, now time.Time) {
	at := now.Unix() / 60 * 60
	if at <= k.LastUsedAt {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.used[k.ID] = at
}

func (u *keyUse) drain() map[string]int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	used := u.used
	u.used = map[string]int64{}
	return used
}

// FlushKeyUse writes the collected times.
func (s *Service) FlushKeyUse(ctx context.Context) error {
	used := s.used.drain()
	if len(used) == 0 {
		return nil
	}
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.TouchAPIKeys(ctx, used) })
}
