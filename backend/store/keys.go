package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/backend/store/query"
)

// APIKey is the stored form of an API key. It does not contain the key.
type APIKey struct {
	ID string
	// SHA-256 of the key, in hex. The key has 256 random bits, so a slow hash is not
	// needed.
	Hash string
	// The first characters of the key, so that people can tell keys apart.
	Hint       string
	Role       string
	ProviderID string
	Name       string
	CreatedAt  int64
	RevokedAt  int64
	// When the key stops working, as after a rotation; 0 for never.
	ExpiresAt int64
	// Accurate to a minute; 0 for never.
	LastUsedAt int64
	// [KindKey] or [KindLink].
	Kind string
	// The first key of the chain of rotations that led to this key. Empty if this key
	// did not replace another.
	LineID string
	// The marketplace of a key with the role marketplace; empty for other roles.
	MarketplaceID string
	// 1: the key sells and reads test sessions alone. The marketplace of such a key is its
	// test tenant.
	Test int64
}

// Line returns the id of the first key of the rotation chain. It is the same for a
// key and its replacements.
func (k APIKey) Line() string { return cmp.Or(k.LineID, k.ID) }

// Kinds of [APIKey].
const (
	KindKey  = "key"  // for programs, as Bearer
	KindLink = "link" // a portal link, which only signs a browser in
)

// Live reports whether the key is valid at the time now.
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

// KeyFilter selects API keys and portal links.
type KeyFilter struct {
	ProviderID string    // empty: of all providers and roles
	Kind       string    // empty: both
	LiveAt     time.Time // zero: also those that were revoked or expired
	Before     string    // the id of a key; older keys follow. Empty: from the newest
	Limit      int
}

// APIKeys lists keys and links, newest first.
func (r Reader) APIKeys(ctx context.Context, f KeyFilter) ([]APIKey, error) {
	if f.Before == "" {
		f.Before = last
	}
	var liveAt int64
	if !f.LiveAt.IsZero() {
		liveAt = f.LiveAt.Unix()
	}
	var rows []query.ApiKey
	var err error
	if f.ProviderID == "" {
		rows, err = r.q.ListAPIKeys(ctx, query.ListAPIKeysParams{Before: f.Before, Kind: f.Kind, LiveAt: liveAt, MaxRows: int32(f.Limit)})
	} else {
		rows, err = r.q.ListAPIKeysOfProvider(ctx, query.ListAPIKeysOfProviderParams{
			ProviderID: f.ProviderID, Before: f.Before, Kind: f.Kind, LiveAt: liveAt, MaxRows: int32(f.Limit),
		})
	}
	if err != nil {
		return nil, fmt.Errorf("listing API keys: %w", err)
	}
	list := make([]APIKey, 0, len(rows))
	for _, row := range rows {
		list = append(list, APIKey(row))
	}
	return list, nil
}

// LiveKeys counts the keys of a provider that are valid at the time now, without
// portal links.
func (r Reader) LiveKeys(ctx context.Context, providerID string, now time.Time) (int64, error) {
	n, err := r.q.CountLiveKeys(ctx, providerID, now.Unix())
	if err != nil {
		return 0, fmt.Errorf("counting API keys: %w", err)
	}
	return n, nil
}

// InsertAPIKey writes a key.
func (t *Tx) InsertAPIKey(ctx context.Context, k APIKey) error {
	err := t.q.InsertAPIKey(ctx, query.InsertAPIKeyParams{
		ID: k.ID, Hash: k.Hash, Hint: k.Hint, Role: k.Role, ProviderID: k.ProviderID, Name: k.Name, CreatedAt: k.CreatedAt,
		ExpiresAt: k.ExpiresAt, Kind: cmp.Or(k.Kind, KindKey), LineID: k.LineID, MarketplaceID: k.MarketplaceID, Test: k.Test,
	})
	if err != nil {
		return fmt.Errorf("writing API key: %w", err)
	}
	return nil
}

// RevokeAPIKey revokes a key. It returns [ErrNotFound] if there is no such key that
// is still valid.
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

// ExpireAPIKey makes a valid key expire at the time at. It returns [ErrNotFound] if
// there is no such key.
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

// TouchAPIKeys records when keys were last used, by key id, in Unix seconds.
func (t *Tx) TouchAPIKeys(ctx context.Context, used map[string]int64) error {
	for id, at := range used {
		if err := t.q.TouchAPIKey(ctx, at, id); err != nil {
			return fmt.Errorf("recording use of API key: %w", err)
		}
	}
	return nil
}

// AuditEntry is one administrative action.
type AuditEntry struct {
	ID     string
	At     int64
	Actor  string // the id of the key or person
	Action string
	Target string
	// The id of the request in the log.
	RequestID string
	// What it changed: a JSON array; "" if it is not recorded.
	Changes string
}

// InsertAudit records an action. Call it in the transaction of the action.
func (t *Tx) InsertAudit(ctx context.Context, e AuditEntry) error {
	if err := t.q.InsertAudit(ctx, query.InsertAuditParams(e)); err != nil {
		return fmt.Errorf("writing audit log: %w", err)
	}
	return nil
}

// AuditLog lists audit entries, newest first, starting before the entry with the id
// before, or with the newest entry if before is empty.
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

// IdempotencyTTL is how long an idempotency key is kept.
const IdempotencyTTL = 24 * time.Hour

// ErrKeyReused is returned if an idempotency key was used with another request.
var ErrKeyReused = errors.New("idempotency key was used for another request")

// Once claims an idempotency key within scope for a request with the given hash. If
// the key is new, fresh is true and the caller must call [Tx.Remember] in the same
// transaction. If the same request was answered before, Once returns that answer. Of
// two concurrent requests, the second waits for the first and sees its result.
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

// Answer returns the stored answer of a request, as [Tx.Once] does, without claiming
// its key; false if there is none.
func (r Reader) Answer(ctx context.Context, scope, key, hash string, now time.Time) (string, bool, error) {
	row, err := r.q.GetIdempotencyKey(ctx, scope, key)
	if errors.Is(found(err), ErrNotFound) || err == nil && row.CreatedAt <= now.Add(-IdempotencyTTL).Unix() {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("reading idempotency key: %w", err)
	}
	if row.RequestHash != hash {
		return "", false, ErrKeyReused
	}
	return row.Response, true, nil
}

// Remember stores the answer of a request that claimed its key with [Tx.Once].
func (t *Tx) Remember(ctx context.Context, scope, key, answer string) error {
	err := t.q.SaveIdempotentResponse(ctx, answer, scope, key)
	if err != nil {
		return fmt.Errorf("remembering answer: %w", err)
	}
	return nil
}

// ForgetAnswers removes idempotency keys older than [IdempotencyTTL], and returns how
// many.
func (s *Store) ForgetAnswers(ctx context.Context, now time.Time) (int64, error) {
	return s.inBatches(ctx, "removing old answers", func(tx *Tx) (int64, error) {
		return tx.q.DeleteIdempotencyKeys(ctx, now.Add(-IdempotencyTTL).Unix(), batchRows)
	})
}

// SigningKey is the stored form of a signing key.
type SigningKey struct {
	KeyID      string
	State      string
	CreatedAt  int64
	RetiredAt  int64
	PrivateKey string
}

// RingVersion returns the version of the signing keys, which grows with every change.
// It is 0 before the first.
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

// ReplaceSigningKeys replaces all signing keys. If they are no longer at the given
// version, it writes nothing and returns false.
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
