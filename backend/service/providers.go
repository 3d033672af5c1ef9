package service

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/site"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// defaultWarnings are the default times at which a user is warned, in seconds before
// the end.
var defaultWarnings = []int64{300, 60}

// Provider returns a provider.
func (s *Service) Provider(ctx context.Context, id string) (store.Provider, error) {
	return s.store.Provider(ctx, id)
}

// Providers lists providers, starting after the provider with the id after.
func (s *Service) Providers(ctx context.Context, after string, limit int) ([]store.Provider, error) {
	return s.store.Providers(ctx, after, limit)
}

// CreateProvider registers a provider. If p has no id, it generates one. vouched means
// that the administrator who registers it vouches for its domains and its app_url.
func (s *Service) CreateProvider(ctx context.Context, req Request, p store.Provider, vouched bool) (store.Provider, error) {
	if err := normalizeProvider(&p); err != nil {
		return p, err
	}
	if err := s.checkClaims(store.Provider{}, p, vouched); err != nil {
		return p, err
	}
	p.NewClaim = newClaim(vouched)
	return write(ctx, s, req, func(w *writeTx) (store.Provider, error) {
		made := p
		if made.ID == "" {
			made.ID = "prov_" + strings.ToLower(rand.Text()[:16])
		}
		made.Version, made.CreatedAt, made.UpdatedAt = 1, w.now.Unix(), w.now.Unix()
		w.siteChanged(store.Provider{}, &made)
		if err := w.InsertProvider(ctx, made, w.now); err != nil {
			return made, err
		}
		w.target, w.changes = made.ID, changesOf(store.Provider{}, made)
		return w.Provider(ctx, made.ID)
	})
}

// ProviderPatch holds the fields to change; nil fields are kept.
type ProviderPatch struct {
	Name      *string
	Domains   *[]string
	OriginURL *string
	AppURL    *string
	Policies  *store.Policies
	// What changes of the site settings, in JSON; see [site.Merge]. Nil: nothing.
	Site []byte
	// Whether return_hosts may change. Only the marketplace may change them.
	MayReturn bool
	// Whether an administrator changes the provider, and vouches for new domains and for
	// app_url.
	ByOperator, Vouched bool
}

// PatchProvider changes a provider. Sessions already sold keep their terms.
func (s *Service) PatchProvider(ctx context.Context, req Request, id string, patch ProviderPatch) (store.Provider, error) {
	if site.Changes(patch.Site, "maintenance") {
		if err := s.limitMaintenance(ctx, req, id); err != nil {
			return store.Provider{}, err
		}
	}
	if patch.Domains != nil && !patch.ByOperator {
		if err := s.limitClaims(ctx, req, id, *patch.Domains); err != nil {
			return store.Provider{}, err
		}
	}
	defer wakeUp(s.wakeStandstill)
	return write(ctx, s, req, func(w *writeTx) (store.Provider, error) {
		p, err := w.Provider(ctx, id)
		if err != nil {
			return p, err
		}
		was, before := p, p.Policies.ReturnHosts
		set(&p.Name, patch.Name)
		if patch.Domains != nil {
			p.Domains = slices.Clone(*patch.Domains) // normalized below, again if the transaction is
		}
		set(&p.OriginURL, patch.OriginURL)
		set(&p.AppURL, patch.AppURL)
		set(&p.Policies, patch.Policies)
		if patch.Policies != nil && patch.Policies.ReturnHosts == nil {
			p.Policies.ReturnHosts = before
		}
		if patch.Site != nil {
			if p.Site, err = site.Merge(was.Site, patch.Site); err != nil {
				return p, siteRefusal(err)
			}
		}
		if err := normalizeProvider(&p); err != nil {
			return p, err
		}
		if !patch.MayReturn && !slices.Equal(before, p.Policies.ReturnHosts) {
			return p, Refuse(protocol.Forbidden, "Only an administrator may change return_hosts.")
		}
		if err := w.changing(ctx, id, changedItems(was, p)...); err != nil {
			return p, err
		}
		if err := s.checkClaims(was, p, patch.Vouched); err != nil {
			return p, err
		}
		p.NewClaim = newClaim(patch.Vouched)
		w.siteChanged(was, &p)
		// Of what providers change themselves, the log has the site settings.
		w.changes, w.quiet = changesOf(was, p), !patch.ByOperator && p.SiteVersion == was.SiteVersion
		if err := w.UpdateProvider(ctx, p, w.now); err != nil {
			return p, err
		}
		if on := inMaintenance(p); on != inMaintenance(was) {
			if err := w.setStandstill(ctx, id, on); err != nil {
				return p, err
			}
		}
		return w.Provider(ctx, id)
	})
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// normalizeProvider validates p, fills in defaults and brings hosts into their
// canonical form.
func normalizeProvider(p *store.Provider) error {
	if p.Name = strings.TrimSpace(p.Name); p.Name == "" {
		return Refuse(protocol.InvalidRequest, "name is required.")
	}
	for i, d := range p.Domains {
		n, err := parseDomain(d)
		if err != nil {
			return notHost(fmt.Sprintf("domains[%d]", i), err)
		}
		p.Domains[i] = n
	}
	if len(slices.Compact(slices.Sorted(slices.Values(p.Domains)))) != len(p.Domains) {
		return Refuse(protocol.InvalidRequest, "domains contains a duplicate.")
	}
	if p.OriginURL != "" && !isOrigin(p.OriginURL) {
		return Refuse(protocol.InvalidRequest, "origin_url must be an http:// or https:// URL of a server, such as http://127.0.0.1:3000, without a path.")
	}
	if p.AppURL != "" && !isPage(p.AppURL) {
		return Refuse(protocol.InvalidRequest, "app_url must be an http:// or https:// URL of a page, such as https://app.example.com/.")
	}
	if err := normalizePolicies(&p.Policies); err != nil {
		return err
	}
	var err error
	if p.Site, err = site.Normalize(p.Site, hostsOf(*p)); err != nil {
		return siteRefusal(err)
	}
	return nil
}

func normalizePolicies(p *store.Policies) error {
	if p.Settlement == "" {
		p.Settlement = session.Full
	}
	if p.Settlement != session.Full && p.Settlement != session.Prorated {
		return Refuse(protocol.InvalidRequest, "policies.settlement must be full or prorated.")
	}
	if q := p.Pause; q != nil && (q.MaxCount < 0 || q.MaxCount > 1000 || q.MaxSeconds < 0 || q.MaxSeconds > 86400) {
		return Refuse(protocol.InvalidRequest, "policies.pause must not exceed 1000 pauses or 86400 seconds.")
	}
	if len(p.WarningSeconds) == 0 { // pages without warnings use these, too
		p.WarningSeconds = slices.Clone(defaultWarnings)
	}
	slices.SortFunc(p.WarningSeconds, func(a, b int64) int { return int(b - a) })
	p.WarningSeconds = slices.Compact(p.WarningSeconds)
	for _, w := range p.WarningSeconds {
		if w < 1 || w > 86400 {
			return Refuse(protocol.InvalidRequest, "policies.warning_seconds must be between 1 and 86400.")
		}
	}
	if p.LaunchWindowSeconds == 0 {
		p.LaunchWindowSeconds = session.DefaultLaunchWindow
	}
	if p.LaunchWindowSeconds < 0 || p.LaunchWindowSeconds > 86400 {
		return Refuse(protocol.InvalidRequest, "policies.launch_window_seconds must be at most 86400.")
	}
	for i, h := range p.ReturnHosts {
		n, err := parseHostPort(h)
		if err != nil {
			return notHost(fmt.Sprintf("policies.return_hosts[%d]", i), err)
		}
		p.ReturnHosts[i] = n
	}
	return nil
}
