package keyring

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/sessiongate/sessiongate/internal/token"
)

// initialize makes a current and a next key. When two processes start at once,
// the first to link its ring file wins, and the other's keys are thrown away.
func (r *Ring) initialize() error {
	current, err := r.generate(Current)
	if err != nil {
		return err
	}
	next, err := r.generate(Next)
	if err != nil {
		return err
	}
	err = r.write([]Info{current, next}, os.Link)
	if errors.Is(err, os.ErrExist) {
		return errors.Join(os.Remove(r.path(current.KeyID+".pem")), os.Remove(r.path(next.KeyID+".pem")))
	}
	return err
}

func (r *Ring) generate(s State) (Info, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Info{}, fmt.Errorf("generating key: %w", err)
	}
	kid, err := token.Thumbprint(&key.PublicKey)
	if err != nil {
		return Info{}, fmt.Errorf("generating key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Info{}, fmt.Errorf("generating key: %w", err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	f, err := os.OpenFile(r.path(kid+".pem"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Info{}, fmt.Errorf("writing key: %w", err)
	}
	if _, err := f.Write(block); err != nil {
		f.Close()
		return Info{}, fmt.Errorf("writing key: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return Info{}, fmt.Errorf("writing key: %w", err)
	}
	return Info{KeyID: kid, State: s, CreatedAt: r.now().Unix()}, nil
}

// write puts a ring file in place, whole, by os.Rename (replacing one) or
// os.Link (only where there is none).
func (r *Ring) write(infos []Info, place func(from, to string) error) error {
	body, err := json.MarshalIndent(infos, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", ringFile, err)
	}
	f, err := os.CreateTemp(r.dir, ringFile+".*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", ringFile, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(body, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", ringFile, err)
	}
	return place(f.Name(), r.path(ringFile))
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading key: %w", err)
	}
	block, _ := pem.Decode(body)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("reading key %s: not a PEM private key", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading key %s: it is damaged", path) // err might quote the key
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("reading key %s: not an ECDSA key", path)
	}
	return key, nil
}
