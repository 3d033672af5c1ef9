package api

import (
	"context"
	"net/http"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// keysMaxAge is how long clients may cache the signing keys. A rotation publishes the
// next key long before it is used.
const keysMaxAge = "public, max-age=60"

type publicKeyOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Key       string `json:"key" doc:"PEM, SubjectPublicKeyInfo"`
		Algorithm string `json:"algorithm" enum:"ES256"`
		KID       string `json:"kid"`
	}
}

type jwksOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         token.JWKS
}

func (a *api) routeKeys() {
	register(a, route{
		method: http.MethodGet, path: protocol.PublicKey, id: "get-public-key", tag: "Keys",
		summary: "Read the current signing key",
	}, a.publicKey)
	register(a, route{
		method: http.MethodGet, path: protocol.JWKS, id: "get-jwks", tag: "Keys",
		summary: "Read the JSON Web Key Set that verifies tokens (RFC 7517)",
	}, a.jwks)
}

func (a *api) publicKey(context.Context, *struct{}) (*publicKeyOutput, error) {
	signer := a.s.Signer()
	pem, err := token.PEM(signer.Public())
	if err != nil {
		return nil, err
	}
	out := &publicKeyOutput{CacheControl: keysMaxAge}
	out.Body.Key, out.Body.Algorithm, out.Body.KID = pem, "ES256", signer.KeyID()
	return out, nil
}

func (a *api) jwks(context.Context, *struct{}) (*jwksOutput, error) {
	return &jwksOutput{CacheControl: keysMaxAge, Body: a.s.JWKS()}, nil
}

// signingKeyBody is the public part of a signing key.
type signingKeyBody struct {
	KID       string `json:"kid" example:"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"`
	State     string `json:"state" enum:"next,current,retired" doc:"next: published, not used yet. retired: verifies tokens that it signed until they have expired"`
	CreatedAt int64  `json:"created_at"`
	RetiredAt int64  `json:"retired_at,omitempty"`
}

// limitBody is one of the limits that an operator can set.
type limitBody struct {
	Name    string `json:"name" example:"events_per_session" doc:"As in --limit NAME=VALUE"`
	Value   int64  `json:"value" example:"5000" doc:"In force; -1: no limit"`
	Default int64  `json:"default" example:"5000"`
	Unit    string `json:"unit" example:"events"`
	Of      string `json:"of" example:"page events of one session" doc:"What is limited"`
}

type limitsOutput struct {
	Body struct {
		Limits []limitBody `json:"limits" nullable:"false"`
	}
}

func (a *api) limits(context.Context, *struct{}) (*limitsOutput, error) {
	out := &limitsOutput{}
	out.Body.Limits = []limitBody{}
	for _, l := range a.s.Limits() {
		out.Body.Limits = append(out.Body.Limits, limitBody{l.Name, l.Value, l.Default, l.Unit, l.Of})
	}
	return out, nil
}

type signingKeysOutput struct {
	Body struct {
		Keys []signingKeyBody `json:"keys" nullable:"false"`
	}
}

// routeAdmin adds the lists of signing keys and of limits for operators.
func (a *api) routeAdmin() {
	register(a, route{
		method: http.MethodGet, path: "/api/v1/keys/signing", id: "list-signing-keys", tag: "Operations", roles: []service.Role{service.RoleAdmin},
		summary: "List the signing keys, without key material",
	}, a.signingKeys)
	register(a, route{
		method: http.MethodGet, path: "/api/v1/limits", id: "list-limits", tag: "Operations", roles: []service.Role{service.RoleAdmin},
		summary: "List the limits in force",
	}, a.limits)
}

func (a *api) signingKeys(context.Context, *struct{}) (*signingKeysOutput, error) {
	out := &signingKeysOutput{}
	out.Body.Keys = []signingKeyBody{}
	for _, k := range a.s.SigningKeys() {
		out.Body.Keys = append(out.Body.Keys, signingKeyBody{k.KeyID, string(k.State), k.CreatedAt, k.RetiredAt})
	}
	return out, nil
}
