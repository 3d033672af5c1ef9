package edge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	// keptEvery is the least time between two writes.
	keptEvery   = 5 * time.Second
	keptTimeout = 5 * time.Second // for the storage, each time
	keptFormat  = 1
	// maxKept bounds the file, and a quarter less what this edge writes of its own.
	maxKept = 16 << 20
	// keptFor is how long a host or site that is not heard of any more is kept.
	keptFor = 30 * 24 * time.Hour
)

// Storage is where an edge keeps what it knows of hosts and sites. Caddy's storage is one.
type Storage interface {
	Load(ctx context.Context, key string) ([]byte, error)
	// Store replaces the value of a key as a whole.
	Store(ctx context.Context, key string, value []byte) error
}

// keeper keeps hosts and site settings over a restart of the edge, so that a backend that
// is down at that time is not missed. Edges with one storage share a file, and each adds to
// it what it knows.
type keeper struct {
	edge *Edge
	key  string

	mu      sync.Mutex // guards storage
	storage Storage    // nil: nothing is kept
	loaded  sync.Once
	written int64 // the changes that the file has; used by run alone
}

// keptFile is the form of the file.
type keptFile struct {
	Format  int        `json:"format"`
	Backend string     `json:"backend"`
	Hosts   []keptHost `json:"hosts"`
	Sites   []keptSite `json:"sites"`
}

type keptHost struct {
	At     int64               `json:"at"` // Unix seconds
	Answer protocol.HostAnswer `json:"answer"`
}

type keptSite struct {
	At    int64              `json:"at"` // Unix seconds
	State protocol.SiteState `json:"state"`
}

func newKeeper(e *Edge, backend string) *keeper {
	sum := sha256.Sum256([]byte(backend))
	return &keeper{edge: e, key: "session_gate/known-" + hex.EncodeToString(sum[:8]) + ".json"}
}

// Keep has the edge keep what it knows in a storage. The first call reads what was kept.
func (e *Edge) Keep(storage Storage) {
	k := e.keeper
	k.mu.Lock()
	k.storage = storage
	k.mu.Unlock()
	k.loaded.Do(func() { k.load(context.Background()) })
}

func (k *keeper) backend() string { return k.edge.Backend.base.String() }

// load takes what was kept. A file that is damaged, or of another backend, is ignored.
func (k *keeper) load(ctx context.Context) {
	file, err := k.read(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		k.edge.logger.Warn("what the edge knew of hosts and sites before its restart is ignored", zap.String("file", k.key), zap.Error(err))
		return
	}
	for i := range file.Sites {
		_ = k.edge.Sites.Take(&file.Sites[i].State, MonotonicMS()) // malformed ones are left out
	}
	for i := range file.Hosts {
		k.edge.Hosts.restore(&file.Hosts[i].Answer)
	}
	k.edge.logger.Info("read what the edge knew before", zap.Int("hosts", len(file.Hosts)), zap.Int("sites", len(file.Sites)))
}

// errNotOurs is returned for a file that this edge cannot use. It is replaced.
var errNotOurs = errors.New("the file cannot be used")

func (k *keeper) read(ctx context.Context) (*keptFile, error) {
	k.mu.Lock()
	storage := k.storage
	k.mu.Unlock()
	if storage == nil {
		return nil, fs.ErrNotExist
	}
	ctx, cancel := context.WithTimeout(ctx, keptTimeout)
	defer cancel()
	body, err := storage.Load(ctx, k.key)
	if err != nil {
		return nil, err
	}
	if len(body) > maxKept {
		return nil, fmt.Errorf("%w: it has more than %d bytes", errNotOurs, maxKept)
	}
	var file keptFile
	if err := json.Unmarshal(body, &file); err != nil {
		return nil, fmt.Errorf("%w: it is damaged", errNotOurs) // the decoder's error may quote it
	}
	if file.Format != keptFormat || file.Backend != k.backend() {
		return nil, fmt.Errorf("%w: it is of another backend or version", errNotOurs)
	}
	return &file, nil
}

// run writes changes until ctx ends, and then what is left.
func (k *keeper) run(ctx context.Context) {
	tick := time.NewTicker(keptEvery)
	defer tick.Stop()
	failing := false
	for {
		last := false
		select {
		case <-ctx.Done():
			last = true
		case <-tick.C:
		}
		err := k.save(context.WithoutCancel(ctx))
		if err != nil && !failing {
			k.edge.logger.Warn("hosts and sites are not kept over a restart; trying again", zap.Error(err))
		}
		failing = err != nil
		if last {
			return
		}
	}
}

// save writes what is known if it has changed.
func (k *keeper) save(ctx context.Context) error {
	k.mu.Lock()
	storage := k.storage
	k.mu.Unlock()
	changes := k.edge.Sites.changes.Load() + k.edge.Hosts.changes.Load()
	if storage == nil || changes == k.written {
		return nil
	}
	before, err := k.read(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errNotOurs):
		before = &keptFile{}
	case err != nil: // what other edges have written must not be lost
		return fmt.Errorf("reading hosts and sites: %w", err)
	}
	body, err := json.Marshal(k.merged(before, time.Now()))
	if err != nil {
		return fmt.Errorf("encoding hosts and sites: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, keptTimeout)
	defer cancel()
	if err := storage.Store(ctx, k.key, body); err != nil {
		return fmt.Errorf("storing hosts and sites: %w", err)
	}
	k.written = changes
	return nil
}

// merged is what this edge knows, and what other edges have written that it does not know.
func (k *keeper) merged(before *keptFile, now time.Time) *keptFile {
	file := &keptFile{Format: keptFormat, Backend: k.backend()}
	known := make(map[string]bool)
	for _, s := range k.edge.Sites.all() {
		known[s.ProviderID] = true
		file.Sites = append(file.Sites, keptSite{At: now.Unix(), State: s.SiteState})
	}
	for _, s := range before.Sites {
		switch mine := k.edge.Sites.Of(s.State.ProviderID); {
		case mine != nil && mine.Version < s.State.Version: // another edge heard of it first
			_ = k.edge.Sites.Take(&s.State, MonotonicMS())
			i := slices.IndexFunc(file.Sites, func(o keptSite) bool { return o.State.ProviderID == s.State.ProviderID })
			if i < 0 { // it came after the list was made
				file.Sites = append(file.Sites, s)
				continue
			}
			file.Sites[i] = s
		case !known[s.State.ProviderID] && s.At > now.Add(-keptFor).Unix():
			file.Sites = append(file.Sites, s)
		}
	}
	hosts, missing := k.edge.Hosts.all()
	for host, answer := range hosts {
		answer.Site = nil
		file.Hosts = append(file.Hosts, keptHost{At: now.Unix(), Answer: answer})
		missing[host] = true
	}
	for _, h := range before.Hosts {
		if !missing[h.Answer.Host] && h.At > now.Add(-keptFor).Unix() {
			file.Hosts = append(file.Hosts, h)
		}
	}
	file.bound()
	return file
}

// bound drops the oldest entries of a file that is too large.
func (f *keptFile) bound() {
	const mostHosts, mostSites = maxKept / 4, maxKept / 2
	slices.SortStableFunc(f.Hosts, func(a, b keptHost) int { return int(b.At - a.At) })
	slices.SortStableFunc(f.Sites, func(a, b keptSite) int { return int(b.At - a.At) })
	size := 0
	for i := range f.Hosts {
		if size += sizeOf(f.Hosts[i]); size > mostHosts {
			f.Hosts = f.Hosts[:i]
			break
		}
	}
	size = 0
	for i := range f.Sites {
		if size += sizeOf(f.Sites[i]); size > mostSites {
			f.Sites = f.Sites[:i]
			break
		}
	}
}

func sizeOf(v any) int {
	body, err := json.Marshal(v)
	if err != nil {
		return maxKept
	}
	return len(body) + 1
}
