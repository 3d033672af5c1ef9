package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/backend/domain"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store/query"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// Provider is the owner of an app, with the domains of the app.
type Provider struct {
	ID   string
	Name string
	// In lower case, ASCII, without port. The first one is the main domain.
	Domains []string
	// The claims to the domains, in their order. The store writes them by Domains.
	Claims []domain.Claim
	// Returns the state of a new claim, when the provider is written. Default: pending.
	NewClaim  func(name string) domain.State `json:"-"`
	OriginURL string
	// The base of launch links. Empty: https:// and the first domain.
	AppURL   string
	Policies Policies
	// What the provider decides about its own site, without defaults.
	Site protocol.Site
	// Increases with every change of Site. 0: it never changed.
	SiteVersion int64
	SiteAt      int64 // when Site changed last
	Version     int64
	CreatedAt   int64
	UpdatedAt   int64
}

// Policies are a provider's rules for new sessions.
type Policies struct {
	Settlement session.Policy  `json:"settlement,omitempty" enum:"full,prorated" doc:"How an entered session is settled. Default: full"`
	Pause      *session.Pauses `json:"pause,omitempty" doc:"How often and how long a user may pause. Default: not at all"`
	// Default: 300 and 60.
	WarningSeconds []int64 `json:"warning_seconds,omitempty" maxItems:"10" doc:"Seconds before the end at which the user is warned, largest first; those above half of a session do not apply to it. Default: 300, 60"`
	// host or host:port, as in a return_url.
	ReturnHosts []string `json:"return_hosts,omitempty" maxItems:"100" doc:"Hosts that return_url may use, with the port if it is not the scheme's default"`
	// Default: 900.
	LaunchWindowSeconds int64 `json:"launch_window_seconds,omitempty" minimum:"0" maximum:"86400" doc:"How long a session with clock launch can be entered. Default: 900"`
}

// Provider returns the provider with this id, or [ErrNotFound].
func (r Reader) Provider(ctx context.Context, id string) (Provider, error) {
	row, err := r.q.GetProvider(ctx, id)
	if err != nil {
		return Provider{}, fmt.Errorf("reading provider: %w", found(err))
	}
	return r.withDomains(ctx, row)
}

// ProviderByDomain returns the provider that holds a domain, or [ErrNotFound].
func (r Reader) ProviderByDomain(ctx context.Context, domain string) (Provider, error) {
	row, err := r.q.GetProviderByDomain(ctx, domain)
	if err != nil {
		return Provider{}, fmt.Errorf("finding domain: %w", found(err))
	}
	return r.withDomains(ctx, row)
}

// Providers lists providers by id, starting after the id after.
func (r Reader) Providers(ctx context.Context, after string, limit int) ([]Provider, error) {
	rows, err := r.q.ListProviders(ctx, after, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("listing providers: %w", err)
	}
	list := make([]Provider, 0, len(rows))
	for _, row := range rows {
		p, err := r.withDomains(ctx, row)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

func (r Reader) withDomains(ctx context.Context, row query.Provider) (Provider, error) {
	p := Provider{
		ID: row.ID, Name: row.Name, OriginURL: row.OriginUrl, AppURL: row.AppUrl,
		SiteVersion: row.SiteVersion, SiteAt: row.SiteAt, Version: row.Version, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
	}
	if err := json.Unmarshal([]byte(row.Policies), &p.Policies); err != nil {
		return Provider{}, fmt.Errorf("reading provider's policies: %w", err)
	}
	var err error
	if p.Site, err = readSite(row.Site); err != nil {
		return Provider{}, err
	}
	if p.Claims, err = r.Claims(ctx, row.ID); err != nil {
		return Provider{}, err
	}
	p.Domains = make([]string, 0, len(p.Claims))
	for _, c := range p.Claims {
		p.Domains = append(p.Domains, c.Domain)
	}
	return p, nil
}

// InsertProvider writes a new provider. It returns [ErrTaken] if its id belongs to
// another provider.
func (t *Tx) InsertProvider(ctx context.Context, p Provider, now time.Time) error {
	policies, err := json.Marshal(p.Policies)
	if err != nil {
		return fmt.Errorf("writing provider: %w", err)
	}
	site, err := json.Marshal(p.Site)
	if err != nil {
		return fmt.Errorf("writing provider: %w", err)
	}
	n, err := t.q.InsertProvider(ctx, query.InsertProviderParams{
		ID: p.ID, Name: p.Name, OriginUrl: p.OriginURL, AppUrl: p.AppURL, Policies: string(policies), CreatedAt: now.Unix(),
		Site: string(site), SiteVersion: p.SiteVersion, SiteAt: p.SiteAt,
	})
	if err != nil {
		return fmt.Errorf("writing provider: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("writing provider %s: %w", p.ID, ErrTaken)
	}
	return t.writeClaims(ctx, p, now)
}

// UpdateProvider writes a provider. It returns [ErrConflict] if the provider changed
// since it was read.
func (t *Tx) UpdateProvider(ctx context.Context, p Provider, now time.Time) error {
	policies, err := json.Marshal(p.Policies)
	if err != nil {
		return fmt.Errorf("writing provider: %w", err)
	}
	site, err := json.Marshal(p.Site)
	if err != nil {
		return fmt.Errorf("writing provider: %w", err)
	}
	n, err := t.q.UpdateProvider(ctx, query.UpdateProviderParams{
		Name: p.Name, OriginUrl: p.OriginURL, AppUrl: p.AppURL, Policies: string(policies), UpdatedAt: now.Unix(),
		Site: string(site), SiteVersion: p.SiteVersion, SiteAt: p.SiteAt,
		ID: p.ID, OldVersion: p.Version,
	})
	if err != nil {
		return fmt.Errorf("writing provider: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("writing provider: %w", ErrConflict)
	}
	return t.writeClaims(ctx, p, now)
}
