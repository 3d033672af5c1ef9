package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
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
	var set struct {
		Keys []struct{ Kid, X, Y string }
	}
	if err := json.Unmarshal(list, &set); err != nil {
		return "", err
	}
	encoded, _, _ := strings.Cut(f.launches[0], ".")
	header, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return "", err
	}
	for _, k := range set.Keys {
		if !strings.Contains(string(header), `"`+k.Kid+`"`) {
			continue
		}
		x, errX := base64.RawURLEncoding.DecodeString(k.X)
		y, errY := base64.RawURLEncoding.DecodeString(k.Y)
		if err := errors.Join(errX, errY); err != nil {
			return "", err
		}
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
		if err != nil {
			return "", err
		}
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			return "", err
		}
		return f.write(name, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	}
	return "", errors.New("the key of the launch tokens is not among those published")
}
