package backend

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/sessiongate/sessiongate/backend/keyring"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/seal"
)

// KeyStore is where the signing keys of a backend with this configuration
// stand: in PostgreSQL, which several backends share, else in the data folder,
// so that a copy of the SQLite file alone signs nothing.
func KeyStore(config Config, st *store.Store) (keyring.KeyStore, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	cipher, err := seal.New(config.SealKey)
	if err != nil {
		return nil, fmt.Errorf("SESSIONGATE_SEAL_KEY %w", err)
	}
	folder := keyring.Folder(KeysDir(config.DataDir))
	if !st.Shared() {
		return folder, nil
	}
	return sqlKeyStore{store: st, cipher: cipher}, nil
}

// openKeys opens the ring. Keys that stood in the data folder move into a
// shared database that has none, so that tokens stay valid.
func openKeys(ctx context.Context, config Config, st *store.Store) (*keyring.Ring, error) {
	keyStore, err := KeyStore(config, st)
	if err != nil {
		return nil, err
	}
	if st.Shared() {
		keys, _, err := keyring.Folder(KeysDir(config.DataDir)).Load(ctx)
		if err == nil {
			err = keyStore.Replace(ctx, keys, "")
		}
		if err != nil && !errors.Is(err, keyring.ErrNone) && !errors.Is(err, keyring.ErrChanged) {
			return nil, fmt.Errorf("moving keys into the database: %w", err)
		}
	}
	return keyring.Open(ctx, keyStore, config.Now)
}

// sqlKeyStore keeps signing keys in the database.
type sqlKeyStore struct {
	store  *store.Store
	cipher seal.Cipher
}

var _ keyring.KeyStore = sqlKeyStore{}

// Stamp implements [keyring.KeyStore].
func (s sqlKeyStore) Stamp(ctx context.Context) (string, error) {
	version, err := s.store.RingVersion(ctx)
	return strconv.FormatInt(version, 10), err
}

// Load implements [keyring.KeyStore].
func (s sqlKeyStore) Load(ctx context.Context) ([]keyring.Key, string, error) {
	// The stamp first: keys newer than it are only read once more.
	stamp, err := s.Stamp(ctx)
	if err != nil {
		return nil, "", err
	}
	rows, err := s.store.SigningKeys(ctx)
	if err != nil {
		return nil, "", err
	}
	if len(rows) == 0 {
		return nil, "", fmt.Errorf("%w in the database", keyring.ErrNone)
	}
	keys := make([]keyring.Key, 0, len(rows))
	for _, row := range rows {
		private, err := s.cipher.OpenText(row.PrivateKey, row.KeyID)
		if err != nil {
			return nil, "", fmt.Errorf("key %s: %w", row.KeyID, err)
		}
		keys = append(keys, keyring.Key{PEM: []byte(private), Info: keyring.Info{
			KeyID: row.KeyID, State: keyring.State(row.State), CreatedAt: row.CreatedAt, RetiredAt: row.RetiredAt,
		}})
	}
	return keys, stamp, nil
}

// Replace implements [keyring.KeyStore].
func (s sqlKeyStore) Replace(ctx context.Context, keys []keyring.Key, stamp string) error {
	var version int64
	if stamp != "" {
		var err error
		if version, err = strconv.ParseInt(stamp, 10, 64); err != nil {
			return keyring.ErrChanged
		}
	}
	rows := make([]store.SigningKey, 0, len(keys))
	for _, k := range keys {
		rows = append(rows, store.SigningKey{
			KeyID: k.KeyID, State: string(k.State), CreatedAt: k.CreatedAt, RetiredAt: k.RetiredAt,
			PrivateKey: s.cipher.SealText(string(k.PEM), k.KeyID),
		})
	}
	return s.store.Write(ctx, func(tx *store.Tx) error {
		ours, err := tx.ReplaceSigningKeys(ctx, rows, version)
		if err == nil && !ours {
			err = keyring.ErrChanged
		}
		return err
	})
}
