// Package edgestorage stores in Redis what several edges share: certificates, their
// private keys, and the locks that let one edge at a time obtain a certificate. It
// is a storage module for Caddy:
//
//	{
//		storage session_gate {
//			redis          {$SESSIONGATE_STORAGE_REDIS}
//			encryption_key {$SESSIONGATE_STORAGE_KEY}
//		}
//	}
//
// Each file is a hash at {prefix}:f:<key> with the fields v (value), m (time of the
// last write in Unix milliseconds) and n (size of the value in bytes). One sorted
// set holds all names, so that folders can be listed. The braces are a hash tag:
// they place all keys into one slot of a cluster.
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

// Storage stores certificates and locks in Redis. Edges share them if they are
// configured with the same Redis and prefix.
type Storage struct {
	// URL of Redis: redis://, rediss://, redis+cluster:// or
	// redis+sentinel://…?master_name=NAME. Placeholders are replaced. Required.
	Redis string `json:"redis"`
	// Key that encrypts stored values, including private keys: 32 random bytes in
	// base64. All edges need the same key. Default: none, so anyone who can read
	// Redis can read the private keys.
	EncryptionKey string `json:"encryption_key,omitempty"`
	// Prefix of all keys in Redis. Default: sg-edge.
	Prefix string `json:"prefix,omitempty"`

	files   *files
	poolKey string
}

// CaddyModule implements [caddy.Module].
func (Storage) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.session_gate", New: func() caddy.Module { return new(Storage) }}
}

// clients holds the Redis clients. A client survives a reload: the new
// configuration starts before the old one is cleaned up.
var clients = caddy.NewUsagePool()

type client struct{ redis.UniversalClient }

// Destruct implements [caddy.Destructor].
func (c client) Destruct() error { return c.Close() }

// Provision implements [caddy.Provisioner]. It makes no network connection, because
// `caddy validate` runs it too.
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

// Cleanup implements [caddy.CleanerUpper]. It releases the Redis client.
func (s *Storage) Cleanup() error {
	if s.poolKey == "" {
		return nil
	}
	_, err := clients.Delete(s.poolKey)
	return err
}

// CertMagicStorage implements [caddy.StorageConverter].
func (s *Storage) CertMagicStorage() (certmagic.Storage, error) { return s.files, nil }

// UnmarshalCaddyfile implements [caddyfile.Unmarshaler]. Syntax:
//
//	storage session_gate {
//		redis          <url>
//		encryption_key <base64>
//		prefix         <name>
//	}
func (s *Storage) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // module name
	if d.NextArg() {
		return d.ArgErr()
	}
	for d.NextBlock(0) {
		to := map[string]*string{"redis": &s.Redis, "encryption_key": &s.EncryptionKey, "prefix": &s.Prefix}[d.Val()]
		if to == nil {
			return d.Errf("storage session_gate has no option %q; there are redis, encryption_key and prefix", d.Val())
		}
		// An unset environment variable leaves no argument. Provision then reports a
		// missing value.
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
