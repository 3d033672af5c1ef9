package api

import (
	"context"
	"net/http"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// providerBody is a provider as the API shows it.
type providerBody struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Domains []string `json:"domains" nullable:"false"`
	// The state of each domain.
	DomainStates map[string]string `json:"domain_states" nullable:"false" doc:"The state of each domain: pending, proven, suspended, vouched or local. Only proven, vouched and local domains are served; GET /api/v1/providers/{id}/dns says what to do for the others"`
	OriginURL    string            `json:"origin_url"`
	AppURL       string            `json:"app_url" doc:"Base URL of launch links"`
	Policies     service.Policies  `json:"policies"`
	Site         siteBody          `json:"site" doc:"What the provider decides about its own site at the edges, with all defaults"`
	// Options that a Caddyfile sets.
	SiteOverrides []string `json:"site_overrides" nullable:"false" example:"[\"open_paths\"]" doc:"Names of the settings in site that the Caddyfile of an edge sets itself. There, the Caddyfile's values are used"`
	CreatedAt     int64    `json:"created_at"`
	UpdatedAt     int64    `json:"updated_at"`
}

func providerBodyOf(p service.Provider, options service.SiteOptions) providerBody {
	if p.Domains == nil {
		p.Domains = []string{}
	}
	states := make(map[string]string, len(p.Claims))
	for _, c := range p.Claims {
		states[c.Domain] = string(c.State)
	}
	return providerBody{
		ID: p.ID, Name: p.Name, Domains: p.Domains, DomainStates: states, OriginURL: p.OriginURL, AppURL: service.AppURL(p), Policies: p.Policies,
		Site: siteBodyOf(service.FullSite(p)), SiteOverrides: options.Of(p.ID),
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
}

type providerOutput struct{ Body providerBody }

type createProviderInput struct {
	Idempotent
	Body struct {
		ID        string            `json:"id,omitempty" pattern:"^prov_[a-z0-9_]+$" maxLength:"64" example:"prov_demo" doc:"Default: a random id"`
		Name      string            `json:"name" minLength:"1" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f]+$" example:"Demo app"`
		Domains   []string          `json:"domains,omitempty" maxItems:"50" example:"[\"app.provider.com\"]"`
		OriginURL string            `json:"origin_url,omitempty" maxLength:"2048" example:"http://127.0.0.1:3000"`
		AppURL    string            `json:"app_url,omitempty" maxLength:"2048" doc:"Base URL of launch links. Default: https at the first domain"`
		Policies  *service.Policies `json:"policies,omitempty"`
		Site      sitePatch         `json:"site,omitempty"`
		Vouch     *bool             `json:"vouch,omitempty" doc:"Whether you vouch for the domains and app_url. false: each domain is pending until its DNS record proves it, and app_url must be at one of them; use it for what somebody else typed. Default: true"`
	}
}

type patchProviderInput struct {
	Idempotent
	ID   string `path:"id" maxLength:"128"`
	Body struct {
		Name      *string           `json:"name,omitempty" minLength:"1" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f]+$"`
		Domains   *[]string         `json:"domains,omitempty" maxItems:"50"`
		OriginURL *string           `json:"origin_url,omitempty" maxLength:"2048"`
		AppURL    *string           `json:"app_url,omitempty" maxLength:"2048"`
		Policies  *service.Policies `json:"policies,omitempty" doc:"Replaces all policies; return_hosts are kept when omitted"`
		Site      sitePatch         `json:"site,omitempty"`
		Vouch     *bool             `json:"vouch,omitempty" doc:"For administrators: whether you vouch for new domains and for app_url. Default: true for administrators. A provider's new domains are pending until their DNS records prove them"`
	}
}

type listProvidersInput struct {
	Cursor string `query:"cursor" maxLength:"128" pattern:"^[A-Za-z0-9_-]+$"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type listProvidersOutput struct {
	Body struct {
		Providers  []providerBody `json:"providers" nullable:"false"`
		NextCursor string         `json:"next_cursor,omitempty"`
	}
}

type readProviderInput struct {
	ID string `path:"id" maxLength:"128"`
}

func (a *api) routeProviders() {
	const path = "/api/v1/providers"
	both := []service.Role{service.RoleAdmin, service.RoleProvider}
	register(a, route{
		method: http.MethodPost, path: path, id: "create-provider", tag: "Providers", status: http.StatusCreated,
		summary: "Register a provider", roles: []service.Role{service.RoleAdmin}, errors: []int{409},
	}, a.createProvider)
	register(a, route{
		method: http.MethodGet, path: path, id: "list-providers", tag: "Providers",
		summary: "List providers; a provider's key lists only its own", roles: both,
	}, a.listProviders)
	register(a, route{
		method: http.MethodGet, path: path + "/{id}", id: "get-provider", tag: "Providers",
		summary: "Read a provider", roles: both, errors: []int{404},
	}, a.readProvider)
	register(a, route{
		method: http.MethodPatch, path: path + "/{id}", id: "update-provider", tag: "Providers",
		summary: "Update a provider", roles: both, errors: []int{404, 409},
	}, a.patchProvider)
}

func (a *api) createProvider(ctx context.Context, in *createProviderInput) (*providerOutput, error) {
	req, err := in.request(ctx, "create-provider", "", in.Body)
	if err != nil {
		return nil, err
	}
	b := in.Body
	p := service.Provider{ID: b.ID, Name: b.Name, Domains: b.Domains, OriginURL: b.OriginURL, AppURL: b.AppURL}
	if p.Site, err = service.NewSite(b.Site); err != nil {
		return nil, err
	}
	if b.Policies != nil {
		p.Policies = *b.Policies
	}
	p, err = a.s.CreateProvider(ctx, req, p, b.Vouch == nil || *b.Vouch)
	if err != nil {
		return nil, err
	}
	return a.providerOutput(ctx, p)
}

func (a *api) patchProvider(ctx context.Context, in *patchProviderInput) (*providerOutput, error) {
	if err := ownProvider(ctx, in.ID); err != nil {
		return nil, err
	}
	req, err := in.request(ctx, "update-provider", in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	req = recorded(ctx, req) // whoever changed it
	b := in.Body
	admin := callerOf(ctx).Role == service.RoleAdmin
	if !admin && b.Vouch != nil && *b.Vouch {
		return nil, service.Refuse(protocol.Forbidden, "Only an administrator may vouch for domains. Set the DNS records that GET /api/v1/providers/{id}/dns lists instead.")
	}
	p, err := a.s.PatchProvider(ctx, req, in.ID, service.ProviderPatch{
		Name: b.Name, Domains: b.Domains, OriginURL: b.OriginURL, AppURL: b.AppURL, Policies: b.Policies, Site: b.Site,
		MayReturn: admin, ByOperator: admin, Vouched: admin && (b.Vouch == nil || *b.Vouch),
	})
	if err != nil {
		return nil, err
	}
	return a.providerOutput(ctx, p)
}

func (a *api) readProvider(ctx context.Context, in *readProviderInput) (*providerOutput, error) {
	if err := ownProvider(ctx, in.ID); err != nil {
		return nil, err
	}
	p, err := a.s.Provider(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return a.providerOutput(ctx, p)
}

func (a *api) listProviders(ctx context.Context, in *listProvidersInput) (*listProvidersOutput, error) {
	out := &listProvidersOutput{}
	out.Body.Providers = []providerBody{}
	if c := callerOf(ctx); c.Role == service.RoleProvider {
		p, err := a.s.Provider(ctx, c.ProviderID)
		if err != nil {
			return nil, err
		}
		body, err := a.providerOutput(ctx, p)
		if err != nil {
			return nil, err
		}
		out.Body.Providers = append(out.Body.Providers, body.Body)
		return out, nil
	}
	list, err := a.s.Providers(ctx, in.Cursor, in.Limit+1)
	if err != nil {
		return nil, err
	}
	if len(list) > in.Limit {
		list = list[:in.Limit]
		out.Body.NextCursor = list[in.Limit-1].ID
	}
	options, err := a.s.SiteOptions(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		out.Body.Providers = append(out.Body.Providers, providerBodyOf(p, options))
	}
	return out, nil
}

// providerOutput is a provider as the API shows it, with what edges reported.
func (a *api) providerOutput(ctx context.Context, p service.Provider) (*providerOutput, error) {
	options, err := a.s.SiteOptions(ctx)
	if err != nil {
		return nil, err
	}
	return &providerOutput{Body: providerBodyOf(p, options)}, nil
}

// readers are the roles that may read a provider's data: the provider, and
// administrators, who can change only the provider's own entry.
var readers = []service.Role{service.RoleProvider, service.RoleAdmin}

// readable is [ownProvider] for what [readers] read: to an administrator, a
// provider that does not exist has no figures rather than none yet.
func (a *api) readable(ctx context.Context, id string) error {
	if callerOf(ctx).Role == service.RoleAdmin {
		_, err := a.s.Provider(ctx, id)
		return err
	}
	return ownProvider(ctx, id)
}

// ownProvider returns a not-found error to a provider's key for any other provider,
// whether it exists or not.
func ownProvider(ctx context.Context, id string) error {
	if c := callerOf(ctx); c.Role == service.RoleProvider && c.ProviderID != id {
		return service.ErrNotFound
	}
	return nil
}
