// Package edgestorage keeps what several edges share in Redis: certificates,
// their keys, and the locks under which one edge obtains what all then use. It
// is a storage module of Caddy:
//
//	{
//		storage session_gate {
//			redis          {$SESSIONGATE_STORAGE_REDIS}
//			encryption_key {$SESSIONGATE_STORAGE_KEY}
//		}
//	}
//
// Each file is a hash at {prefix}:f:<key> (v: value, m: Unix ms of its writing),
// and all names stand in one sorted set, so that folders can be listed. The
// braces put all of it into one slot of a cluster.
package edgestorage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/certmagic"
	"github.com/redis/go-redis/v9"

	"github.com/sessiongate/sessiongate/internal/redisurl"
	"github.com/sessiongate/sessiongate/internal/seal"
)

func init() {
	caddy.RegisterModule(Storage{})
}

const defaultPrefix = "sg-edge"

// Storage keeps certificates and locks in Redis, for all edges that name the
// same one.
type Storage struct {
	// redis://, rediss://, redis+cluster:// or redis+sentinel://…?master_name=NAME.
	// Placeholders are replaced. Required.
	Redis string `json:"redis"`
	// 32 random bytes in base64 that seal what is stored, private keys among it.
	// Every edge needs the same. Default: none; whoever reads Redis reads it all.
	EncryptionKey string `json:"encryption_key,omitempty"`
	// What all names in Redis begin with. Default: sg-edge.
	Prefix string `json:"prefix,omitempty"`

	files   *files
	poolKey string
}

// CaddyModule implements [caddy.Module].
func (Storage) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.session_gate", New: func() caddy.Module { return new(Storage) }}
}

// clients are shared by configurations: one may end while the next begins.
var clients = caddy.NewUsagePool()

type client struct{ redis.UniversalClient }

// Destruct implements [caddy.Destructor].
func (c client) Destruct() error { return c.Close() }

// Provision reaches for no network: `caddy validate` runs it too.
func (s *Storage) Provision(ctx caddy.Context) error {
	repl := caddy.NewReplacer()
	address, key := repl.ReplaceKnown(s.Redis, ""), repl.ReplaceKnown(s.EncryptionKey, "")
	if address == "" {
		return errors.New("storage session_gate: redis is missing: the address of the Redis that the edges share")
	}
	cipher, err := seal.New(key)
	if err != nil {
		return fmt.Errorf("storage session_gate: encryption_key %w", err)
	}
	if s.Prefix == "" {
		s.Prefix = defaultPrefix
	}
	sum := sha256.Sum256([]byte(address))
	poolKey := hex.EncodeToString(sum[:])
	shared, _, err := clients.LoadOrNew(poolKey, func() (caddy.Destructor, error) {
		c, err := redisurl.Connect(address, redisurl.Patience{Timeout: 3 * time.Second, Retries: 2})
		if err != nil {
			return nil, err
		}
		return client{c}, nil
	})
	if err != nil {
		return fmt.Errorf("storage session_gate: %w", err)
	}
	s.poolKey = poolKey
	s.files = newFiles(shared.(client).UniversalClient, s.Prefix, cipher, ctx.Logger(), time.Now)
	return nil
}

// Validate implements [caddy.Validator].
func (s *Storage) Validate() error {
	if strings.ContainsAny(s.Prefix, "{} \t\r\n") {
		return errors.New("storage session_gate: prefix must have no braces and no blanks")
	}
	return nil
}

// Cleanup gives the client back.
func (s *Storage) Cleanup() error {
	if s.poolKey == "" {
		return nil
	}
	_, err := clients.Delete(s.poolKey)
	return err
}

// CertMagicStorage implements [caddy.StorageConverter].
func (s *Storage) CertMagicStorage() (certmagic.Storage, error) { return s.files, nil }

// UnmarshalCaddyfile reads
//
//	storage session_gate {
//		redis          <url>
//		encryption_key <base64>
//		prefix         <name>
//	}
func (s *Storage) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	if d.NextArg() {
		return d.ArgErr()
	}
	for d.NextBlock(0) {
		to := map[string]*string{"redis": &s.Redis, "encryption_key": &s.EncryptionKey, "prefix": &s.Prefix}[d.Val()]
		if to == nil {
			return d.Errf("storage session_gate has no option %q; there are redis, encryption_key and prefix", d.Val())
		}
		// Nothing is what an unset variable leaves; Provision says what is missing.
		if d.NextArg() {
			*to = d.Val()
		}
		if d.NextArg() {
			return d.ArgErr()
		}
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner      = (*Storage)(nil)
	_ caddy.Validator        = (*Storage)(nil)
	_ caddy.CleanerUpper     = (*Storage)(nil)
	_ caddy.StorageConverter = (*Storage)(nil)
	_ caddyfile.Unmarshaler  = (*Storage)(nil)
)
