package backend

import (
	"context"
	"net/http"
)

// signingKeyBody is what may be said of a signing key.
type signingKeyBody struct {
	KID       string `json:"kid" example:"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"`
	State     string `json:"state" enum:"next,current,retired" doc:"next: published ahead of its use. retired: verifies until no token of it can be in use"`
	CreatedAt int64  `json:"created_at"`
	RetiredAt int64  `json:"retired_at,omitempty"`
}

type signingKeysOutput struct {
	Body struct {
		Keys []signingKeyBody `json:"keys" nullable:"false"`
	}
}

// apiKeyBody is what may be said of an API key or a portal link: never itself.
type apiKeyBody struct {
	ID         string `json:"id"`
	Kind       string `json:"kind" enum:"key,link" doc:"link: a portal link, which signs a browser in"`
	Hint       string `json:"hint" example:"sg_prv_7x3k" doc:"How it begins"`
	Role       string `json:"role" enum:"marketplace,provider,edge,admin"`
	ProviderID string `json:"provider_id,omitempty"`
	Name       string `json:"name,omitempty"`
	CreatedAt  int64  `json:"created_at"`
	LastUsedAt int64  `json:"last_used_at,omitempty" doc:"To the minute; absent: never"`
	ExpiresAt  int64  `json:"expires_at,omitempty" doc:"Of a link, or of a key that another took the place of"`
	RevokedAt  int64  `json:"revoked_at,omitempty"`
}

type apiKeysOutput struct {
	Body struct {
		Keys []apiKeyBody `json:"keys" nullable:"false" doc:"Oldest first, revoked ones too"`
	}
}

type apiKeyPath struct {
	Idempotent
	ID string `path:"id" maxLength:"64"`
}

// routeAdmin adds what an operator's page shows of keys.
func (a *api) routeAdmin() {
	admin := []Role{RoleAdmin}
	register(a, route{
		method: http.MethodGet, path: "/api/v1/keys/signing", id: "list-signing-keys", tag: "Operations", roles: admin,
		summary: "The keys that sign tokens, without the keys themselves",
	}, a.signingKeys)
	register(a, route{
		method: http.MethodGet, path: "/api/v1/apikeys", id: "list-api-keys", tag: "Operations", roles: admin,
		summary: "API keys and portal links, without the keys themselves",
	}, a.apiKeys)
	register(a, route{
		method: http.MethodDelete, path: "/api/v1/apikeys/{id}", id: "revoke-api-key", tag: "Operations", status: http.StatusNoContent, roles: admin,
		errors: []int{404, 409}, summary: "End a key or a portal link at once, and the sign-ins made with it",
	}, a.revokeAPIKey)
}

func (a *api) signingKeys(context.Context, *struct{}) (*signingKeysOutput, error) {
	out := &signingKeysOutput{}
	out.Body.Keys = []signingKeyBody{}
	for _, k := range a.s.keys.List() {
		out.Body.Keys = append(out.Body.Keys, signingKeyBody{k.KeyID, string(k.State), k.CreatedAt, k.RetiredAt})
	}
	return out, nil
}

func (a *api) apiKeys(ctx context.Context, _ *struct{}) (*apiKeysOutput, error) {
	list, err := a.s.store.APIKeys(ctx)
	if err != nil {
		return nil, err
	}
	out := &apiKeysOutput{}
	out.Body.Keys = make([]apiKeyBody, 0, len(list))
	for _, k := range list {
		out.Body.Keys = append(out.Body.Keys, apiKeyBody{
			ID: k.ID, Kind: k.Kind, Hint: k.Hint, Role: k.Role, ProviderID: k.ProviderID, Name: k.Name, CreatedAt: k.CreatedAt,
			LastUsedAt: k.LastUsedAt, ExpiresAt: k.ExpiresAt, RevokedAt: k.RevokedAt,
		})
	}
	return out, nil
}

// revokeAPIKey ends a key, the caller's own as well: whoever locks themselves
// out makes another by `sessiongate apikey create`.
func (a *api) revokeAPIKey(ctx context.Context, in *apiKeyPath) (*struct{}, error) {
	req, err := in.request(ctx, "revoke-api-key", in.ID, nil)
	if err != nil {
		return nil, err
	}
	_, err = write(ctx, a.s, req, func(w *work) (struct{}, error) { return struct{}{}, w.RevokeAPIKey(ctx, in.ID, w.now) })
	return nil, err
}
