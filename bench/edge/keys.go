package main

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/sessiongate/sessiongate/internal/token"
)

// jwks are the keys of the session service, as it publishes them.
func (f *field) jwks(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.api+"/.well-known/jwks.json", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("reading the keys: %s", resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// publicKey writes the key that signed the launch tokens to a file, as PEM.
func (f *field) publicKey(ctx context.Context, name string) (string, error) {
	list, err := f.jwks(ctx)
	if err != nil {
		return "", err
	}
	set, err := token.ParseJWKS(list)
	if err != nil {
		return "", err
	}
	encoded, _, _ := strings.Cut(f.launches[0], ".")
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return "", err
	}
	var header struct{ Kid string }
	if err := json.Unmarshal(raw, &header); err != nil {
		return "", err
	}
	key, err := set.Key(ctx, header.Kid)
	if err != nil {
		return "", fmt.Errorf("the key of the launch tokens: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", err
	}
	return f.write(name, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
}
