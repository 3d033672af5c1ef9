package api

import (
	"context"
	"net/http"

	"github.com/sessiongate/sessiongate/backend/service"
)

// signingKeyBody is what may be said of a signing key.
type signingKeyBody struct {
	KID       string `json:"kid" example:"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"`
	State     string `json:"state" enum:"next,current,retired" doc:"next: published, not used yet. retired: verifies tokens that it signed until they have expired"`
	CreatedAt int64  `json:"created_at"`
	RetiredAt int64  `json:"retired_at,omitempty"`
}

type signingKeysOutput struct {
	Body struct {
		Keys []signingKeyBody `json:"keys" nullable:"false"`
	}
}

// routeAdmin adds what an operator's page shows of signing keys.
func (a *api) routeAdmin() {
	register(a, route{
		method: http.MethodGet, path: "/api/v1/keys/signing", id: "list-signing-keys", tag: "Operations", roles: []service.Role{service.RoleAdmin},
		summary: "List the signing keys, without key material",
	}, a.signingKeys)
}

func (a *api) signingKeys(context.Context, *struct{}) (*signingKeysOutput, error) {
	out := &signingKeysOutput{}
	out.Body.Keys = []signingKeyBody{}
	for _, k := range a.s.SigningKeys() {
		out.Body.Keys = append(out.Body.Keys, signingKeyBody{k.KeyID, string(k.State), k.CreatedAt, k.RetiredAt})
	}
	return out, nil
}
