package service

import (
	"context"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/doctor"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// checkTime is how long a check may take; what it did not get to by then is told
// as having had no answer.
const checkTime = 20 * time.Second

// checkLimit is how often one provider may be checked: six at once, then one
// every ten seconds.
var checkLimit = coord.Limit{Interval: 10 * time.Second, Burst: 6}

// checks looks at providers' sites from here, one check of a provider at a time.
type checks struct {
	rules  doctor.Rules // nil: nobody says what the injector would do
	lookup Lookup

	mu      sync.Mutex // guards running
	running map[string]bool
}

// begin reports whether no check of the provider was running.
func (c *checks) begin(providerID string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running[providerID] {
		return false
	}
	c.running[providerID] = true
	return true
}

func (c *checks) end(providerID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.running, providerID)
}

// Check looks at a page of a provider's as the doctor does; raw is its address,
// or empty. Whoever names an address must not reach what only we can reach, so
// that its host is one of the provider's own, and every address that is dialed
// for it is a public one.
func (s *Service) Check(ctx context.Context, providerID, raw string) (*doctor.Report, error) {
	p, err := s.store.Provider(ctx, providerID)
	if err != nil {
		return nil, err
	}
	target, err := checkTarget(p, raw)
	if err != nil {
		return nil, err
	}
	if !s.checks.begin(p.ID) {
		return nil, &Refusal{Code: protocol.RateLimited, Detail: "A check of this provider is already running. Wait until it ends.", Cause: &WaitError{time.Second}}
	}
	defer s.checks.end(p.ID)
	if err := s.limited(ctx, "checks:"+p.ID, checkLimit); err != nil {
		return nil, err
	}
	config := doctor.Config{URL: target, Control: s.guard.Control, Rules: s.checks.rules, Lookup: s.checks.lookup}
	if s.edges.named() {
		domain, _ := normalizeDomain(target.Hostname()) // checkTarget knows it to be one
		config.Gate = &doctor.Gate{Addresses: s.edges.all(ctx), Remedy: s.edges.recordsFor(ctx, domain).remedy()}
	}
	// An origin's page is only good for predicting what the injector would do,
	// and an origin's lock is looked at on the way.
	if origin, err := url.Parse(p.OriginURL); err == nil && p.OriginURL != "" && s.checks.rules != nil {
		config.Origin = origin
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	return doctor.Run(ctx, config), nil
}

// checkTarget returns the page to check: the given one, the app's, or the first
// domain's.
func checkTarget(p store.Provider, raw string) (*url.URL, error) {
	if len(p.Domains) == 0 {
		return nil, Refuse(protocol.InvalidRequest, "The provider has no domain yet. Register the domain that its users visit, then run the check.")
	}
	named := raw != ""
	if !named {
		raw = AppURL(p)
	}
	u, ok := httpURL(raw)
	if !ok {
		return nil, Refuse(protocol.InvalidRequest, "url must be an http:// or https:// URL.")
	}
	domain, err := normalizeDomain(u.Hostname())
	if err != nil || !slices.Contains(p.Domains, domain) {
		if named {
			return nil, Refuse(protocol.InvalidRequest, "The host of url is not in the provider's domains. Register it first.")
		}
		u = &url.URL{Scheme: "https", Host: p.Domains[0]}
	}
	// A query may hold a secret, and no check needs it.
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = "", false, "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}
