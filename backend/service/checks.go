package service

import (
	"context"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/domain"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/doctor"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// checkTime is the time limit of a check. Anything that the check has not reached by
// then is reported as unanswered.
const checkTime = 20 * time.Second

// checkLimit limits the checks of one provider: six at once, then one every ten
// seconds.
var checkLimit = coord.Limit{Interval: 10 * time.Second, Burst: 6}

// checks runs checks of providers' sites from this service, one at a time for each
// provider.
type checks struct {
	rules  doctor.Rules // nil: the injector's result cannot be predicted
	lookup Lookup

	mu      sync.Mutex // guards running
	running map[string]bool
}

// begin reports whether no check of the provider was running, and marks one as running.
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

// Check runs the doctor's checks on a page of a provider. raw is the page's URL, or
// empty for the default. A caller must not reach addresses that only this service can
// reach. Therefore the URL's host must be one of the provider's own, and only public
// addresses are dialed.
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
	if err := s.limited(ctx, "checks", p.ID, checkLimit); err != nil {
		return nil, err
	}
	config := doctor.Config{URL: target, Control: s.guard.Control, Rules: s.checks.rules, Lookup: s.checks.lookup, Now: s.now}
	name, _ := normalizeDomain(target.Hostname()) // checkTarget has validated the domain
	secret, err := s.domainSecret(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range p.Claims {
		if c.Domain != name {
			continue
		}
		records := s.edges.recordsFor(ctx, c, domain.Token(secret, p.ID, name))
		config.Ownership = &doctor.Ownership{State: string(c.State), Usable: c.State.Usable(), Found: c.Found, Remedy: records.remedy()}
		if s.edges.named() {
			config.Gate = &doctor.Gate{Addresses: s.edges.all(ctx), Remedy: records.remedy()}
		}
	}
	// The origin's page is used only to predict the result of the injector. The check
	// also tests whether the origin is locked.
	if origin, err := url.Parse(p.OriginURL); err == nil && p.OriginURL != "" && s.checks.rules != nil {
		config.Origin = origin
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	return doctor.Run(ctx, config), nil
}

// checkTarget returns the page to check: the given URL, the app's URL, or the first
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
	name, err := normalizeDomain(u.Hostname())
	if err != nil || !slices.Contains(p.Domains, name) {
		if named {
			return nil, Refuse(protocol.InvalidRequest, "The host of url is not in the provider's domains. Register it first.")
		}
		u = &url.URL{Scheme: "https", Host: hostPort{host: p.Domains[0]}.String()}
	}
	// A query may hold a secret, and no check needs it.
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = "", false, "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}
