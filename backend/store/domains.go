package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/backend/domain"
	"github.com/sessiongate/sessiongate/backend/store/query"
)

// Claims lists a provider's claims to domains, in its order.
func (r Reader) Claims(ctx context.Context, providerID string) ([]domain.Claim, error) {
	rows, err := r.q.ListClaims(ctx, providerID)
	return claims(rows, err)
}

// ClaimsOf lists all providers' claims to one domain, the earliest first.
func (r Reader) ClaimsOf(ctx context.Context, name string) ([]domain.Claim, error) {
	rows, err := r.q.ListClaimsOfDomain(ctx, name)
	return claims(rows, err)
}

func claims(rows []query.DomainClaim, err error) ([]domain.Claim, error) {
	if err != nil {
		return nil, fmt.Errorf("reading claims to domains: %w", err)
	}
	list := make([]domain.Claim, 0, len(rows))
	for _, row := range rows {
		list = append(list, domain.Claim{
			Domain: row.Domain, ProviderID: row.ProviderID, Position: row.Position, State: domain.State(row.State), ClaimedAt: row.ClaimedAt,
			ProvenAt: row.ProvenAt, CheckedAt: row.CheckedAt, Found: row.Found, Misses: row.Misses, MissingSince: row.MissingSince, DueAt: row.DueAt,
		})
	}
	return list, nil
}

// DueDomains lists domains of which DNS is to be asked by now, the longest due first.
// A domain that several providers claim may be listed more than once.
func (r Reader) DueDomains(ctx context.Context, now time.Time, limit int) ([]string, error) {
	list, err := r.q.ListDueDomains(ctx, now.Unix(), int32(limit))
	if err != nil {
		return nil, fmt.Errorf("listing due domains: %w", err)
	}
	return list, nil
}

// writeClaims makes the claims of p those to its domains. Claims that exist keep their
// state. New ones have the state that p.NewClaim says, and are pending where another
// provider holds the domain.
func (t *Tx) writeClaims(ctx context.Context, p Provider, now time.Time) error {
	existing, err := t.Claims(ctx, p.ID)
	if err != nil {
		return err
	}
	wanted := make(map[string]int64, len(p.Domains))
	for i, name := range p.Domains {
		wanted[name] = int64(i)
	}
	for _, c := range existing {
		position, keep := wanted[c.Domain]
		delete(wanted, c.Domain)
		switch {
		case !keep:
			err = t.q.DeleteClaim(ctx, c.Domain, p.ID)
		case position != c.Position:
			err = t.q.MoveClaim(ctx, position, c.Domain, p.ID)
		}
		if err != nil {
			return fmt.Errorf("writing domains: %w", err)
		}
	}
	for i, name := range p.Domains { // in order
		if _, isNew := wanted[name]; !isNew {
			continue
		}
		delete(wanted, name) // a second one is the same claim
		state := domain.Pending
		if p.NewClaim != nil {
			state = p.NewClaim(name)
		}
		n, err := t.insertClaim(ctx, p.ID, name, int64(i), state, now)
		if err == nil && n == 0 && state.Usable() { // somebody holds it
			n, err = t.insertClaim(ctx, p.ID, name, int64(i), domain.Pending, now)
		}
		if err == nil && n == 0 {
			err = ErrConflict
		}
		if err != nil {
			return fmt.Errorf("writing domain %s: %w", name, err)
		}
	}
	return nil
}

func (t *Tx) insertClaim(ctx context.Context, providerID, name string, position int64, state domain.State, now time.Time) (int64, error) {
	return t.q.InsertClaim(ctx, query.InsertClaimParams{
		Domain: name, ProviderID: providerID, Position: position, State: string(state), ClaimedAt: now.Unix(), DueAt: domain.FirstCheck(state, now),
	})
}

// UpdateClaim writes a claim that was read as before. It returns [ErrConflict] if it
// changed since.
func (t *Tx) UpdateClaim(ctx context.Context, before, c domain.Claim) error {
	n, err := t.q.UpdateClaim(ctx, query.UpdateClaimParams{
		State: string(c.State), ProvenAt: c.ProvenAt, CheckedAt: c.CheckedAt, Found: c.Found, Misses: c.Misses,
		MissingSince: c.MissingSince, DueAt: c.DueAt, Domain: c.Domain, ProviderID: c.ProviderID,
		OldState: string(before.State), OldCheckedAt: before.CheckedAt,
	})
	if err == nil && n == 0 {
		err = ErrConflict
	}
	if err != nil {
		return fmt.Errorf("writing claim to domain: %w", err)
	}
	return nil
}

// DomainSecret returns the secret from which the tokens in DNS records are derived, or
// [ErrNotFound] before the first one was written.
func (r Reader) DomainSecret(ctx context.Context) ([]byte, error) {
	text, err := r.q.GetDomainSecret(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading domain secret: %w", found(err))
	}
	secret, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("reading domain secret: %w", err)
	}
	return secret, nil
}

// InsertDomainSecret writes the secret, unless there is one.
func (t *Tx) InsertDomainSecret(ctx context.Context, secret []byte) error {
	if err := t.q.InsertDomainSecret(ctx, hex.EncodeToString(secret)); err != nil {
		return fmt.Errorf("writing domain secret: %w", err)
	}
	return nil
}
