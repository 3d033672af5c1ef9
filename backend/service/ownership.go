package service

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/domain"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// maxDomains is the most domains of one provider.
const maxDomains = 50

// claimLimit limits how many domains a provider may add: a full list at once, then one
// every ten minutes. Administrators are not limited.
var claimLimit = coord.Limit{Interval: 10 * time.Minute, Burst: maxDomains}

// operatorHosts returns the hosts that no provider can own: this service's and the
// edges'.
func operatorHosts(issuer string, edges *EdgeHosts) []string {
	own := slices.Clone(edges.names)
	if u, err := url.Parse(issuer); err == nil {
		if host, err := normalizeDomain(u.Hostname()); err == nil {
			own = append(own, host)
		}
	}
	return own
}

// newClaim returns the state of a new claim. An administrator's word is enough for it.
func newClaim(vouched bool) func(string) domain.State {
	return func(name string) domain.State {
		switch {
		case domain.Loopback(name):
			return domain.Local
		case vouched:
			return domain.Vouched
		}
		return domain.Pending
	}
}

// checkClaims refuses what a provider cannot have: names that nobody can own, too many
// domains, and, unless the operator vouches for it, an app at somebody else's host.
// Domains that the provider had before are kept.
func (s *Service) checkClaims(before, after store.Provider, vouched bool) error {
	for i, name := range after.Domains {
		if slices.Contains(before.Domains, name) {
			continue
		}
		if err := domain.Refused(name, s.ownHosts); err != nil {
			return &Refusal{Code: protocol.InvalidRequest, Detail: fmt.Sprintf("domains[%d]: %s %v.", i, name, err), Cause: err}
		}
	}
	if len(after.Domains) > max(maxDomains, len(before.Domains)) {
		return Refuse(protocol.InvalidRequest, fmt.Sprintf("A provider has at most %d domains. Remove some first.", maxDomains))
	}
	if vouched || after.AppURL == "" {
		return nil
	}
	host := hostOf(after.AppURL)
	set := host == hostOf(before.AppURL) && !slices.Contains(before.Domains, host) // by the operator
	if domain.Loopback(host) || slices.Contains(after.Domains, host) || set {
		return nil
	}
	return Refuse(protocol.InvalidRequest, "app_url must be at one of the provider's domains. Add its host to domains, or ask an administrator to set app_url.")
}

// hostOf returns the canonical host of a URL, or "".
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	host, _ := normalizeDomain(u.Hostname()) // empty for what is no host
	return host
}

// limitClaims refuses more new domains than a provider may add now.
func (s *Service) limitClaims(ctx context.Context, req Request, id string, wanted []string) error {
	if done, err := s.answered(ctx, req); err != nil || done {
		return err
	}
	claims, err := s.store.Claims(ctx, id)
	if err != nil {
		return err
	}
	for _, raw := range wanted[:min(len(wanted), maxDomains+1)] {
		name, err := parseDomain(raw)
		if err != nil || slices.ContainsFunc(claims, func(c domain.Claim) bool { return c.Domain == name }) {
			continue // refused later, or no new claim
		}
		// A guest that may not add domains must not use up what the provider may.
		if err := s.guestMay(ctx, s.store.Reader, req, id, guestItem{name: "domains", fresh: true}); err != nil {
			return err
		}
		err = s.limited(ctx, "domain_claims", id, claimLimit)
		if refusal, ok := errors.AsType[*Refusal](err); ok {
			refusal.Detail = "Too many new domains. Keep the ones that you have, or wait before you add another."
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// launchBase returns the base URL of a provider's launch links, or the refusal of a
// sale or a relaunch for a domain that is not the provider's, or not any more. It is empty
// if the provider has neither an app_url nor domains.
func launchBase(p store.Provider) (string, error) {
	host := hostOf(AppURL(p))
	if domain.Loopback(host) {
		return AppURL(p), nil
	}
	for _, c := range p.Claims {
		if c.Domain != host || c.State.Usable() {
			continue
		}
		why := "no DNS record proves it yet"
		if c.State == domain.Suspended {
			why = "its DNS record is gone"
		}
		return "", Refuse(protocol.DomainNotProven, fmt.Sprintf("The provider's domain %s is %s: %s. "+
			"Set the record that GET /api/v1/providers/%s/dns lists, or ask an administrator to vouch for the domain, then try again.", c.Domain, c.State, why, p.ID))
	}
	return AppURL(p), nil
}
