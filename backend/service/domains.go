package service

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/domain"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	domainsEvery   = 2 * time.Second // how often the loop looks for due checks
	domainsBatch   = 256
	domainsAtOnce  = 8
	domainsTimeout = 25 * time.Second // of the checks that a caller waits for
	secretBytes    = 32
)

// proofLimit limits the checks of DNS that a provider asks for: twelve at once, then
// one every five seconds.
var proofLimit = coord.Limit{Interval: 5 * time.Second, Burst: 12}

// DNS answers what proves a domain. Package resolver implements it.
type DNS interface {
	Look(ctx context.Context, name string) domain.Answer
}

// domainSecret returns the secret of the tokens in DNS records. The first call makes
// it.
func (s *Service) domainSecret(ctx context.Context) ([]byte, error) {
	if known := s.secret.Load(); known != nil {
		return *known, nil
	}
	secret, err := s.store.DomainSecret(ctx)
	if errors.Is(err, store.ErrNotFound) {
		fresh := make([]byte, secretBytes)
		_, _ = rand.Read(fresh) // never fails
		err = s.store.Write(ctx, func(tx *store.Tx) error { return tx.InsertDomainSecret(ctx, fresh) })
		if err == nil { // another process may have been first
			secret, err = s.store.DomainSecret(ctx)
		}
	}
	if err != nil {
		return nil, err
	}
	s.secret.Store(&secret)
	return secret, nil
}

// CheckDomains asks DNS for the records of a provider's domains, or of one of them,
// and settles who holds them.
func (s *Service) CheckDomains(ctx context.Context, providerID, name string) ([]string, []DomainRecords, error) {
	claims, err := s.store.Claims(ctx, providerID)
	if err != nil {
		return nil, nil, err
	}
	if name != "" {
		if name, err = parseDomain(name); err != nil {
			return nil, nil, notHost("domain", err)
		}
		claims = slices.DeleteFunc(claims, func(c domain.Claim) bool { return c.Domain != name })
		if len(claims) == 0 {
			return nil, nil, Refuse(protocol.InvalidRequest, "The provider has no such domain. Add it to domains first.")
		}
	}
	if err := s.limited(ctx, "domain_checks", providerID, proofLimit); err != nil {
		return nil, nil, err
	}
	names := make([]string, 0, len(claims))
	for _, c := range claims {
		names = append(names, c.Domain)
	}
	bounded, cancel := context.WithTimeout(ctx, domainsTimeout)
	defer cancel()
	if err := s.checkAll(bounded, names); err != nil {
		return nil, nil, err
	}
	return s.DNSRecords(ctx, providerID)
}

// domainLoop asks DNS for claims that are due, until ctx ends.
func (s *Service) domainLoop(ctx context.Context) {
	for {
		if _, err := s.CheckDueDomains(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("failed to check domains", zap.Error(err))
		}
		if !sleep(ctx, domainsEvery, nil) {
			return
		}
	}
}

// CheckDueDomains asks DNS for the claims that are due, and returns how many domains
// those are.
func (s *Service) CheckDueDomains(ctx context.Context) (int, error) {
	names, err := s.store.DueDomains(ctx, s.now(), domainsBatch)
	if err != nil || len(names) == 0 {
		return 0, err
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return len(names), s.checkAll(ctx, names)
}

func (s *Service) checkAll(ctx context.Context, names []string) error {
	secret, err := s.domainSecret(ctx)
	if err != nil {
		return err
	}
	var group errgroup.Group // one that fails ends no other
	group.SetLimit(domainsAtOnce)
	for _, name := range names {
		group.Go(func() error { return s.checkDomain(ctx, secret, name) })
	}
	return group.Wait()
}

// checkDomain asks DNS once and settles all claims to one domain.
func (s *Service) checkDomain(ctx context.Context, secret []byte, name string) error {
	var answer domain.Answer
	if err := domain.Refused(name, s.ownHosts); err != nil { // from before this rule
		answer.Found = "nobody can prove this name: it " + err.Error()
	} else if !domain.Loopback(name) {
		answer = s.dns.Look(ctx, name)
	}
	if ctx.Err() != nil {
		return ctx.Err() // what an interrupted lookup found is no answer
	}
	s.noteUnroutable(ctx, name, &answer)
	proves := func(c domain.Claim) bool {
		return answer.Proves(domain.Token(secret, c.ProviderID, c.Domain), s.edges.names)
	}
	var before, after []domain.Claim
	err := s.store.Write(ctx, func(tx *store.Tx) (err error) {
		if before, err = tx.ClaimsOf(ctx, name); err != nil {
			return err
		}
		after = domain.Settle(before, proves, answer, s.now())
		// Those that give the domain up first: one at most may hold it.
		for _, holding := range []bool{false, true} {
			for i, c := range after {
				if c.State.Usable() != holding || c == before[i] {
					continue
				}
				if err := tx.UpdateClaim(ctx, before[i], c); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, c := range after {
		if was := before[i].State; was != c.State {
			s.log.Info("a domain changed its state", zap.String("domain", c.Domain), zap.String("provider", c.ProviderID),
				zap.String("was", string(was)), zap.String("is", string(c.State)))
		}
	}
	return nil
}

// noteUnroutable adds to an answer that the domain's alias below an edge host has no
// address: the domain is proven, and no visitor reaches it.
func (s *Service) noteUnroutable(ctx context.Context, name string, a *domain.Answer) {
	if len(a.Aliases) == 0 {
		return
	}
	_, parent, _ := strings.Cut(a.Aliases[len(a.Aliases)-1], ".")
	if !slices.Contains(s.edges.names, parent) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, edgeLookupTime)
	defer cancel()
	if _, err := s.edges.lookup(ctx, name); err != nil {
		a.Found += "; it has no address yet: the operator of the gate must add the DNS record *." + parent
	}
}

// Vouch gives an administrator's word for a provider's domain within tx. It is refused
// while another provider holds the domain, and returns [ErrNotFound] if the provider
// has no such domain.
func Vouch(ctx context.Context, tx *store.Tx, providerID, name string, now time.Time) (domain.Claim, error) {
	claims, err := claimsOf(ctx, tx, name)
	if err != nil {
		return domain.Claim{}, err
	}
	for _, c := range claims {
		if c.ProviderID != providerID && c.State.Usable() {
			return c, Refuse(protocol.AlreadyExists, "Provider "+c.ProviderID+" holds the domain: it is "+string(c.State)+". Remove it there first.")
		}
	}
	return changeClaim(ctx, tx, claims, providerID, func(c *domain.Claim) {
		if !c.State.Usable() {
			c.State, c.Misses, c.MissingSince, c.DueAt = domain.Vouched, 0, 0, 0
		}
	})
}

// Unvouch takes an administrator's word for a provider's domain back within tx. The
// domain is proven if the last check saw its record, and pending otherwise.
func Unvouch(ctx context.Context, tx *store.Tx, providerID, name string, now time.Time) (domain.Claim, error) {
	claims, err := claimsOf(ctx, tx, name)
	if err != nil {
		return domain.Claim{}, err
	}
	return changeClaim(ctx, tx, claims, providerID, func(c *domain.Claim) {
		if c.State != domain.Vouched {
			return
		}
		c.State = domain.Pending
		if c.ProvenAt > 0 && c.ProvenAt == c.CheckedAt {
			c.State = domain.Proven
		}
		c.DueAt = now.Unix()
	})
}

// claimsOf lists the claims to a domain as somebody wrote it.
func claimsOf(ctx context.Context, tx *store.Tx, written string) ([]domain.Claim, error) {
	name, err := parseDomain(written)
	if err != nil {
		return nil, notHost("domain", err)
	}
	return tx.ClaimsOf(ctx, name)
}

func changeClaim(ctx context.Context, tx *store.Tx, claims []domain.Claim, providerID string, change func(*domain.Claim)) (domain.Claim, error) {
	i := slices.IndexFunc(claims, func(c domain.Claim) bool { return c.ProviderID == providerID })
	if i < 0 {
		return domain.Claim{}, store.ErrNotFound
	}
	c := claims[i]
	if change(&c); c == claims[i] {
		return c, nil
	}
	return c, tx.UpdateClaim(ctx, claims[i], c)
}

// Vouch gives, or takes back, an administrator's word for a provider's domain.
func (s *Service) Vouch(ctx context.Context, req Request, providerID, name string, word bool) (domain.Claim, error) {
	name, err := normalizeDomain(name)
	if err != nil {
		return domain.Claim{}, notHost("domain", err)
	}
	if err := domain.Refused(name, s.ownHosts); word && err != nil {
		return domain.Claim{}, &Refusal{Code: protocol.InvalidRequest, Detail: name + " " + err.Error() + ".", Cause: err}
	}
	return write(ctx, s, req, func(w *writeTx) (domain.Claim, error) {
		if word {
			return Vouch(ctx, w.Tx, providerID, name, w.now)
		}
		return Unvouch(ctx, w.Tx, providerID, name, w.now)
	})
}

// warnOfWildcards logs the edge hosts below which no name has an address: providers'
// CNAME records point there.
func (s *Service) warnOfWildcards(ctx context.Context) {
	for _, name := range s.edges.names {
		probe := strings.ToLower(rand.Text()) + "." + name
		bounded, cancel := context.WithTimeout(ctx, edgeLookupTime)
		_, err := s.edges.lookup(bounded, probe)
		cancel()
		if err != nil && ctx.Err() == nil {
			s.log.Warn("names below the edge host have no address; add a wildcard DNS record, because providers' CNAME records point there",
				zap.String("record", "*."+name))
		}
	}
}
