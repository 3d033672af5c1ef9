package api

import (
	"cmp"
	"context"
	"net/http"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// apiKeyBody is an API key or a portal link without its secret.
type apiKeyBody struct {
	ID            string `json:"id"`
	Kind          string `json:"kind" enum:"key,link" doc:"link: a portal link"`
	Hint          string `json:"hint" example:"sg_prv_7x3k" doc:"The first characters of the key"`
	Role          string `json:"role" enum:"marketplace,provider,edge,admin"`
	ProviderID    string `json:"provider_id,omitempty"`
	MarketplaceID string `json:"marketplace_id,omitempty" doc:"The marketplace of a key with the role marketplace"`
	Test          bool   `json:"test,omitempty" doc:"The key sells and reads test sessions only"`
	Name          string `json:"name,omitempty"`
	CreatedAt     int64  `json:"created_at"`
	LastUsedAt    int64  `json:"last_used_at,omitempty" doc:"Time of the last use, to the minute; absent: never"`
	ExpiresAt     int64  `json:"expires_at,omitempty" doc:"Expiry of a portal link or of a rotated key"`
	RevokedAt     int64  `json:"revoked_at,omitempty"`
}

type apiKeysOutput struct {
	Body struct {
		Keys       []apiKeyBody `json:"keys" nullable:"false" doc:"Newest first"`
		NextCursor string       `json:"next_cursor,omitempty" doc:"Cursor of the next page; absent on the last page"`
	}
}

// KeySearch selects API keys and portal links. It is exported because huma skips
// unexported embedded structs.
type KeySearch struct {
	Status string `query:"status" enum:"active" doc:"active: only those that can be used now. Default: all"`
	Kind   string `query:"kind" enum:"key,link" doc:"Default: both"`
	Cursor string `query:"cursor" maxLength:"64" pattern:"^[0-9a-f-]+$" doc:"next_cursor of the previous page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type listKeysInput struct{ KeySearch }

type listProviderKeysInput struct {
	ID string `path:"id" maxLength:"128" example:"prov_demo"`
	KeySearch
}

type apiKeyPath struct {
	Idempotent
	ID string `path:"id" maxLength:"64"`
}

type providerKeyPath struct {
	Idempotent
	ID  string `path:"id" maxLength:"128"`
	KID string `path:"kid" maxLength:"64"`
}

// createKeyInput has no Idempotency-Key, because a stored answer would contain the key.
// A key that was created twice can be revoked.
type createKeyInput struct {
	Body struct {
		Role          string `json:"role" enum:"marketplace,provider,edge,admin"`
		ProviderID    string `json:"provider_id,omitempty" maxLength:"128" doc:"Required for the role provider, not allowed for others"`
		MarketplaceID string `json:"marketplace_id,omitempty" maxLength:"64" pattern:"^[A-Za-z0-9_-]+$" example:"mkt_default" doc:"The marketplace of a key with the role marketplace, not allowed for others. Default: mkt_default"`
		Name          string `json:"name" minLength:"1" maxLength:"100" pattern:"^[^\\x00-\\x1f\\x7f]+$" example:"billing server" doc:"Display name"`
		Test          bool   `json:"test,omitempty" doc:"The key sells and reads test sessions only. For the roles marketplace and provider; a provider's test key reads only"`
	}
}

type createProviderKeyInput struct {
	ID   string `path:"id" maxLength:"128"`
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"100" pattern:"^[^\\x00-\\x1f\\x7f]+$" example:"billing server" doc:"Display name"`
		Test bool   `json:"test,omitempty" doc:"The key reads test sessions only"`
	}
}

type createKeyOutput struct {
	Body struct {
		Key    apiKeyBody `json:"key"`
		Secret string     `json:"secret" doc:"The key. Shown only once" example:"sg_prv_7x3kq2m5n4p6r8s9t2va…"`
	}
}

// routeAPIKeys adds endpoints that create, list and revoke API keys: all keys for
// administrators, and a provider's own keys for the provider.
func (a *api) routeAPIKeys() {
	const all, own = "/api/v1/apikeys", "/api/v1/providers/{id}/apikeys"
	admin, provider := []service.Role{service.RoleAdmin}, []service.Role{service.RoleProvider}
	register(a, route{
		method: http.MethodGet, path: all, id: "list-api-keys", tag: "Operations", roles: admin,
		summary: "List API keys and portal links, without their secrets",
	}, a.apiKeys)
	register(a, route{
		method: http.MethodPost, path: all, id: "create-api-key", tag: "Operations", status: http.StatusCreated, roles: admin, errors: []int{404},
		summary: "Create an API key; returns it once",
	}, a.createAPIKey)
	register(a, route{
		method: http.MethodDelete, path: all + "/{id}", id: "revoke-api-key", tag: "Operations", status: http.StatusNoContent, roles: admin,
		errors: []int{404, 409}, summary: "Revoke a key or portal link and end its sign-ins, immediately",
	}, a.revokeAPIKey)
	register(a, route{
		method: http.MethodGet, path: own, id: "list-provider-api-keys", tag: "Providers", roles: readers, errors: []int{404},
		summary: "List a provider's API keys and portal links, without their secrets",
	}, a.providerKeys)
	register(a, route{
		method: http.MethodPost, path: own, id: "create-provider-api-key", tag: "Providers", status: http.StatusCreated, roles: provider, errors: []int{404},
		summary: "Create an API key for the provider; returns it once. Not allowed for portal links",
	}, a.createProviderKey)
	register(a, route{
		method: http.MethodDelete, path: own + "/{kid}", id: "revoke-provider-api-key", tag: "Providers", status: http.StatusNoContent, roles: provider,
		errors: []int{404, 409}, summary: "Revoke one of the provider's keys or portal links and end its sign-ins, immediately. Not allowed for portal links",
	}, a.revokeProviderKey)
}

func apiKeyBodyOf(k service.APIKey) apiKeyBody {
	marketplace, _ := protocol.SplitTenant(k.MarketplaceID)
	return apiKeyBody{
		ID: k.ID, Kind: k.Kind, Hint: k.Hint, Role: k.Role, ProviderID: k.ProviderID, MarketplaceID: marketplace, Test: k.Test != 0, Name: k.Name, CreatedAt: k.CreatedAt,
		LastUsedAt: k.LastUsedAt, ExpiresAt: k.ExpiresAt, RevokedAt: k.RevokedAt,
	}
}

// keys returns one page of the keys of a provider, or of all keys if providerID is
// empty.
func (a *api) keys(ctx context.Context, providerID string, in KeySearch) (*apiKeysOutput, error) {
	f := service.KeyFilter{ProviderID: providerID, Kind: in.Kind, Before: in.Cursor, Limit: in.Limit + 1}
	if in.Status == "active" {
		f.LiveAt = a.Now()
	}
	list, err := a.s.APIKeys(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &apiKeysOutput{}
	list, more := cut(list, in.Limit)
	if more {
		out.Body.NextCursor = list[in.Limit-1].ID
	}
	out.Body.Keys = make([]apiKeyBody, 0, len(list))
	for _, k := range list {
		out.Body.Keys = append(out.Body.Keys, apiKeyBodyOf(k))
	}
	return out, nil
}

func (a *api) apiKeys(ctx context.Context, in *listKeysInput) (*apiKeysOutput, error) {
	return a.keys(ctx, "", in.KeySearch)
}

func (a *api) providerKeys(ctx context.Context, in *listProviderKeysInput) (*apiKeysOutput, error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, err
	}
	return a.keys(ctx, in.ID, in.KeySearch)
}

func (a *api) createAPIKey(ctx context.Context, in *createKeyInput) (*createKeyOutput, error) {
	role := service.Role(in.Body.Role)
	owner := cmp.Or(in.Body.ProviderID, in.Body.MarketplaceID)
	if in.Body.ProviderID != "" && role != service.RoleProvider || in.Body.MarketplaceID != "" && role != service.RoleMarketplace {
		return nil, service.ErrRole
	}
	return a.makeKey(ctx, "create-api-key", service.KeyOrder{Role: role, Owner: owner, Name: in.Body.Name, Test: in.Body.Test}, 0)
}

func (a *api) createProviderKey(ctx context.Context, in *createProviderKeyInput) (*createKeyOutput, error) {
	if err := ownProvider(ctx, in.ID); err != nil {
		return nil, err
	}
	return a.makeKey(ctx, "create-provider-api-key", service.KeyOrder{Role: service.RoleProvider, Owner: in.ID, Name: in.Body.Name, Test: in.Body.Test}, service.MaxProviderKeys)
}

// makeKey creates a key on behalf of the caller.
func (a *api) makeKey(ctx context.Context, operation string, o service.KeyOrder, most int) (*createKeyOutput, error) {
	req, err := Idempotent{}.request(ctx, operation, "", nil)
	if err != nil {
		return nil, err
	}
	plaintext, kept, err := a.s.MakeAPIKey(ctx, recorded(ctx, req), callerOf(ctx), o, most)
	if err != nil {
		return nil, err
	}
	out := &createKeyOutput{}
	out.Body.Key, out.Body.Secret = apiKeyBodyOf(kept), plaintext
	return out, nil
}

// revokeAPIKey revokes a key, even the caller's own. A caller without a key can create
// another one with `sessiongate apikey create`.
func (a *api) revokeAPIKey(ctx context.Context, in *apiKeyPath) (*struct{}, error) {
	req, err := in.request(ctx, "revoke-api-key", in.ID, nil)
	if err != nil {
		return nil, err
	}
	return nil, a.s.RevokeAPIKey(ctx, req, in.ID)
}

// revokeProviderKey revokes a key of the provider, even the caller's own.
func (a *api) revokeProviderKey(ctx context.Context, in *providerKeyPath) (*struct{}, error) {
	if err := ownProvider(ctx, in.ID); err != nil {
		return nil, err
	}
	if callerOf(ctx).Guest {
		return nil, service.Refuse(protocol.Forbidden, "Portal links cannot revoke API keys. Sign in with a key of your own, or ask the operator.")
	}
	req, err := in.request(ctx, "revoke-provider-api-key", in.KID, nil)
	if err != nil {
		return nil, err
	}
	return nil, a.s.RevokeProviderKey(ctx, recorded(ctx, req), in.ID, in.KID)
}
