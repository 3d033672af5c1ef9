package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/backend/store/query"
)

// APIKey is what is kept of an API key: never the key.
type APIKey struct {
	ID string
	// SHA-256 of the key, in hex. The key has 256 random bits: nothing slower
	// is needed.
	Hash string
	// The key's first characters, for a person to tell keys apart.
	Hint       string
	Role       string
	ProviderID string
	Name       string
	CreatedAt  int64
	RevokedAt  int64
	// The end of its grace, once another took its place; 0 for no end.
	ExpiresAt int64
	// To the minute; 0 for never.
	LastUsedAt int64
	// [KindKey] or [KindLink].
	Kind string
	// The key whose place it took, and took and so on: the first of them. Empty for
	// one that took nobody's.
	LineID string
}

// Line names what stays the same when a key is rotated.
func (k APIKey) Line() string { return cmp.Or(k.LineID, k.ID) }

// Kinds of [APIKey].
const (
	KindKey  = "key"  // for programs, as Bearer
	KindLink = "link" // signs a browser in, and is nothing else
)

// Live reports whether the key may be used at this moment.
func (k APIKey) Live(now time.Time) bool {
	return k.RevokedAt == 0 && (k.ExpiresAt == 0 || now.Unix() < k.ExpiresAt)
}

// APIKeyByHash returns the key with this hash, or [ErrNotFound].
func (r Reader) APIKeyByHash(ctx context.Context, hash string) (APIKey, error) {
	row, err := r.q.GetAPIKeyByHash(ctx, hash)
	if err != nil {
		return APIKey{}, fmt.Errorf("reading API key: %w", found(err))
	}
	return APIKey(row), nil
}

// APIKeys lists all keys, oldest first.
func (r Reader) APIKeys(ctx context.Context) ([]APIKey, error) {
	rows, err := r.q.ListAPIKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing API keys: %w", err)
	}
	list := make([]APIKey, 0, len(rows))
	for _, row := range rows {
		list = append(list, APIKey(row))
	}
	return list, nil
}

// APIKeysOfProvider lists a provider's own keys and links, oldest first.
func (r Reader) APIKeysOfProvider(ctx context.Context, providerID string) ([]APIKey, error) {
	rows, err := r.q.ListAPIKeysOfProvider(ctx, providerID)
	if err != nil {
		return nil, fmt.Errorf("listing API keys: %w", err)
	}
	list := make([]APIKey, 0, len(rows))
	for _, row := range rows {
		list = append(list, APIKey(row))
	}
	return list, nil
}

// InsertAPIKey writes a key.
func (t *Tx) InsertAPIKey(ctx context.Context, k APIKey) error {
	err := t.q.InsertAPIKey(ctx, query.InsertAPIKeyParams{
		ID: k.ID, Hash: k.Hash, Hint: k.Hint, Role: k.Role, ProviderID: k.ProviderID, Name: k.Name, CreatedAt: k.CreatedAt,
		ExpiresAt: k.ExpiresAt, Kind: cmp.Or(k.Kind, KindKey), LineID: k.LineID,
	})
	if err != nil {
		return fmt.Errorf("writing API key: %w", err)
	}
	return nil
}

// RevokeAPIKey ends a key, or returns [ErrNotFound] when no such key is live.
func (t *Tx) RevokeAPIKey(ctx context.Context, id string, now time.Time) error {
	n, err := t.q.RevokeAPIKey(ctx, id, now.Unix())
	if err != nil {
		return fmt.Errorf("revoking API key: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("revoking API key: %w", ErrNotFound)
	}
	return nil
}

// APIKey returns the key with this id, or [ErrNotFound].
func (r Reader) APIKey(ctx context.Context, id string) (APIKey, error) {
	row, err := r.q.GetAPIKey(ctx, id)
	if err != nil {
		return APIKey{}, fmt.Errorf("reading API key: %w", found(err))
	}
	return APIKey(row), nil
}

// ExpireAPIKey lets a live key work until then and no longer, or returns
// [ErrNotFound].
func (t *Tx) ExpireAPIKey(ctx context.Context, id string, at time.Time) error {
	n, err := t.q.ExpireAPIKey(ctx, at.Unix(), id)
	if err != nil {
		return fmt.Errorf("expiring API key: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("expiring API key: %w", ErrNotFound)
	}
	return nil
}

// TouchAPIKeys notes when keys were last used.
func (t *Tx) TouchAPIKeys(ctx context.Context, used map[string]int64) error {
	for id, at := range used {
		if err := t.q.TouchAPIKey(ctx, at, id); err != nil {
			return fmt.Errorf("noting use of API key: %w", err)
		}
	}
	return nil
}

// AuditEntry is something that an administrator did, or somebody with keys.
type AuditEntry struct {
	ID     string
	At     int64
	Actor  string // the id of the key or person
	Action string
	Target string
	// Finds the request in the log.
	RequestID string
}

// InsertAudit records what was done, in the transaction of doing it.
func (t *Tx) InsertAudit(ctx context.Context, e AuditEntry) error {
	if err := t.q.InsertAudit(ctx, query.InsertAuditParams(e)); err != nil {
		return fmt.Errorf("writing audit log: %w", err)
	}
	return nil
}

// AuditLog lists what was done, newest first, from before the entry
// with this id; "" is from the newest.
func (r Reader) AuditLog(ctx context.Context, before string, limit int) ([]AuditEntry, error) {
	if before == "" {
		before = last
	}
	rows, err := r.q.ListAudit(ctx, before, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("reading audit log: %w", err)
	}
	list := make([]AuditEntry, 0, len(rows))
	for _, row := range rows {
		list = append(list, AuditEntry(row))
	}
	return list, nil
}

// IdempotencyTTL is how long an idempotency key is remembered.
const IdempotencyTTL = 24 * time.Hour

// ErrKeyReused: the idempotency key came before, with another request.
var ErrKeyReused = errors.New("idempotency key was used for another request")

// Once claims an idempotency key within scope for a request with this hash. If
// the key is new, fresh is true, and the transaction calls [Tx.Remember] before
// it ends. If the same request was answered before, its answer is returned.
// Two that run at once take turns: the second sees what the first committed.
func (t *Tx) Once(ctx context.Context, scope, key, hash string, now time.Time) (answer string, fresh bool, err error) {
	n, err := t.q.ClaimIdempotencyKey(ctx, query.ClaimIdempotencyKeyParams{
		Scope: scope, Key: key, RequestHash: hash, CreatedAt: now.Unix(), ExpiredBefore: now.Add(-IdempotencyTTL).Unix(),
	})
	if err != nil {
		return "", false, fmt.Errorf("claiming idempotency key: %w", err)
	}
	if n == 1 {
		return "", true, nil
	}
	row, err := t.q.GetIdempotencyKey(ctx, scope, key)
	if err != nil {
		return "", false, fmt.Errorf("reading idempotency key: %w", found(err))
	}
	if row.RequestHash != hash {
		return "", false, ErrKeyReused
	}
	return row.Response, false, nil
}

// Remember keeps the answer of a request that claimed its key by [Tx.Once].
func (t *Tx) Remember(ctx context.Context, scope, key, answer string) error {
	err := t.q.SaveIdempotentResponse(ctx, answer, scope, key)
	if err != nil {
		return fmt.Errorf("remembering answer: %w", err)
	}
	return nil
}

// ForgetAnswers removes idempotency keys that are too old to count.
func (t *Tx) ForgetAnswers(ctx context.Context, now time.Time) (int64, error) {
	n, err := t.q.DeleteIdempotencyKeys(ctx, now.Add(-IdempotencyTTL).Unix())
	if err != nil {
		return 0, fmt.Errorf("forgetting answers: %w", err)
	}
	return n, nil
}

// SigningKey is one key of the ring, as kept.
type SigningKey struct {
	KeyID      string
	State      string
	CreatedAt  int64
	RetiredAt  int64
	PrivateKey string
}

// RingVersion grows with every change of the signing keys; 0 before the first.
func (r Reader) RingVersion(ctx context.Context) (int64, error) {
	n, err := r.q.GetRingVersion(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading signing keys: %w", err)
	}
	return n, nil
}

// SigningKeys lists all signing keys, oldest first.
func (r Reader) SigningKeys(ctx context.Context) ([]SigningKey, error) {
	rows, err := r.q.ListSigningKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading signing keys: %w", err)
	}
	list := make([]SigningKey, 0, len(rows))
	for _, row := range rows {
		list = append(list, SigningKey(row))
	}
	return list, nil
}

// ReplaceSigningKeys writes the ring as a whole. It reports false, and writes
// nothing, when the ring is no longer at this version.
func (t *Tx) ReplaceSigningKeys(ctx context.Context, keys []SigningKey, version int64) (bool, error) {
	n, err := t.q.AdvanceRing(ctx, version)
	if err != nil {
		return false, fmt.Errorf("writing signing keys: %w", err)
	}
	if n == 0 {
		return false, nil
	}
	if err := t.q.DeleteSigningKeys(ctx); err != nil {
		return false, fmt.Errorf("writing signing keys: %w", err)
	}
	for _, k := range keys {
		if err := t.q.InsertSigningKey(ctx, query.InsertSigningKeyParams(k)); err != nil {
			return false, fmt.Errorf("writing signing keys: %w", err)
		}
	}
	return true, nil
}
