package token

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// RefreshInterval is the least time between two fetches of an issuer's keys.
	RefreshInterval = 10 * time.Second

	refreshTimeout = 5 * time.Second
	maxJWKSSize    = 256 << 10
)

// RemoteKeys is an issuer's key set, fetched when a token names a kid that it
// does not know: one fetch at a time, and one per [RefreshInterval] at most, so
// that forged kids cost the issuer nothing. Keys once known keep verifying
// while the issuer is down. Safe for concurrent use.
type RemoteKeys struct {
	url    string
	client *http.Client
	now    func() time.Time

	mu       sync.RWMutex // guards keys
	keys     KeySet
	fetch    sync.Mutex // held during a fetch
	lastTry  time.Time  // guarded by fetch
	fetchErr error      // guarded by fetch; why the last try failed
}

// NewRemoteKeys returns the keys served at url (a JWKS document). Nothing is
// fetched before a key is asked for.
func NewRemoteKeys(url string, client *http.Client, now func() time.Time) *RemoteKeys {
	return &RemoteKeys{url: url, client: client, now: now}
}

// Key implements [Keys]. It fails fast with [ErrUnknownKey] when the last fetch
// is recent, and with the fetch's error when the issuer could not be reached.
func (r *RemoteKeys) Key(ctx context.Context, kid string) (*ecdsa.PublicKey, error) {
	if k := r.known(kid); k != nil {
		return k, nil
	}
	r.fetch.Lock()
	defer r.fetch.Unlock()
	if k := r.known(kid); k != nil { // fetched while we waited
		return k, nil
	}
	now := r.now()
	if !r.lastTry.IsZero() && now.Sub(r.lastTry) < RefreshInterval {
		if r.fetchErr != nil {
			return nil, r.fetchErr
		}
		return nil, ErrUnknownKey
	}
	// The fetch serves all who wait for it: it must not end with one of them.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
	defer cancel()
	set, err := r.load(ctx)
	r.lastTry, r.fetchErr = now, err
	if err != nil {
		// An unreachable issuer may be back in a moment; one second spares it.
		// That second begins now: whoever waited while a fetch ran into its
		// timeout must not run into another.
		r.lastTry = r.now().Add(time.Second - RefreshInterval)
		return nil, err
	}
	r.mu.Lock()
	r.keys = set
	r.mu.Unlock()
	if k := set[kid]; k != nil {
		return k, nil
	}
	return nil, ErrUnknownKey
}

func (r *RemoteKeys) known(kid string) *ecdsa.PublicKey {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.keys[kid]
}

func (r *RemoteKeys) load(ctx context.Context) (KeySet, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return nil, fmt.Errorf("fetching keys: %w", err)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetching keys: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetching keys: %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxJWKSSize))
	if err != nil {
		return nil, fmt.Errorf("fetching keys: %w", err)
	}
	return ParseJWKS(body)
}
