package api

import (
	"context"
	"net/http"

	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// keysMaxAge is how long others may keep our keys: a rotation publishes the
// next key long before it signs.
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
