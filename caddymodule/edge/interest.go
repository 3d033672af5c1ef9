package edge

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	// interestIdle is how long a provider without sites, sessions and requests stays in
	// the set.
	interestIdle = time.Hour
	// maxInterest is how many providers are remembered. From [protocol.MaxStreamProviders]
	// on, the edge asks for the changes of all.
	maxInterest = 2 * protocol.MaxStreamProviders
	// nobody is asked for by an edge without providers: an empty list means all.
	nobody = "-"
)

// interest is the set of providers whose changes an edge has to hear of: those that its
// sites name, those of hosts that it looked up, and those of the sessions that it holds.
// It is safe for concurrent use.
type interest struct {
	grown chan struct{} // receives when the set has grown

	mu        sync.Mutex // guards the rest
	providers map[string]*concern
}

// concern is what an edge has to do with one provider.
type concern struct {
	used  atomic.Bool // a request was judged by what the stream said, since the last look
	at    int64       // monotonic ms of the last use; guarded by the interest's mu
	sites int         // that name the provider; guarded by the interest's mu
}

func newInterest() *interest {
	return &interest{grown: make(chan struct{}, 1), providers: make(map[string]*concern)}
}

// add adds a provider that is in use now.
func (i *interest) add(provider string, now int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.addLocked(provider, now)
}

func (i *interest) addLocked(provider string, now int64) *concern {
	if provider == "" || len(provider) > protocol.MaxProviderID {
		return nil // no provider of the backend's
	}
	c := i.providers[provider]
	if c == nil {
		if len(i.providers) >= maxInterest {
			return nil // the edge hears of all
		}
		c = new(concern)
		i.providers[provider] = c
		select {
		case i.grown <- struct{}{}:
		default: // told already
		}
	}
	c.at = max(c.at, now)
	return c
}

// site adds a provider that a site names, until release is called.
func (i *interest) site(provider string, now func() int64) (release func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	c := i.addLocked(provider, now())
	if c == nil {
		return func() {}
	}
	c.sites++
	return sync.OnceFunc(func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		c.sites--
		c.at = max(c.at, now())
	})
}

// wanted is what a stream is asked for.
type wanted struct {
	all       bool
	providers map[string]*concern // also if all is set
}

// list returns the providers to ask for; none for all.
func (w wanted) list() []string {
	switch {
	case w.all:
		return nil
	case len(w.providers) == 0:
		return []string{nobody}
	}
	return slices.Sorted(maps.Keys(w.providers))
}

// wanted drops the providers that were not in use for interestIdle, and returns the rest.
// held returns the providers of the sessions that the edge holds; it is called if need be.
func (i *interest) wanted(now int64, held func() map[string]bool) wanted {
	if idle := i.idle(now); len(idle) > 0 {
		holds := held()
		i.mu.Lock()
		for _, provider := range idle {
			c := i.providers[provider]
			switch {
			case c == nil || !c.idleLocked(now): // in use since
			case holds[provider]:
				c.at = now
			default:
				delete(i.providers, provider)
			}
		}
		for provider := range holds { // those that found no place before
			i.addLocked(provider, now)
		}
		i.mu.Unlock()
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return wanted{all: len(i.providers) > protocol.MaxStreamProviders, providers: maps.Clone(i.providers)}
}

// idle returns the providers that may leave the set.
func (i *interest) idle(now int64) (list []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for provider, c := range i.providers {
		if c.idleLocked(now) {
			list = append(list, provider)
		}
	}
	return list
}

func (c *concern) idleLocked(now int64) bool {
	if c.sites > 0 || c.used.Swap(false) {
		c.at = now
	}
	return c.at < now-interestIdle.Milliseconds()
}

// exceeds reports whether the set has providers that a stream does not cover.
func (i *interest) exceeds(c *coverage) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for provider := range i.providers {
		if _, ok := c.since(provider); !ok {
			return true
		}
	}
	return false
}

// coverage says of which providers' changes an edge hears, and since when without a gap
// other than those that [Edge.reset] tells. It is immutable.
type coverage struct {
	began     int64 // when the edge first heard of changes, in monotonic ms
	all       bool
	allSince  int64 // of providers that are not listed
	providers map[string]covered
}

type covered struct {
	since int64 // monotonic ms
	used  *atomic.Bool
}

// since returns since when the changes of a provider are heard of; false if they are not.
// It allocates nothing.
func (c *coverage) since(provider string) (int64, bool) {
	if c == nil {
		return 0, false
	}
	p, ok := c.providers[provider]
	if !ok {
		return c.allSince, c.all
	}
	return p.since, true
}

// use notes that a request was judged by what the stream said of a provider.
func (c *coverage) use(provider string) {
	if p, ok := c.providers[provider]; ok && !p.used.Load() {
		p.used.Store(true)
	}
}

// followedBy returns the coverage of a stream that resumed where the stream of c was. What
// was covered stays so; the rest is covered from now on.
func (c *coverage) followedBy(w wanted, now int64) *coverage {
	next := &coverage{began: now, all: w.all, allSince: now, providers: make(map[string]covered, len(w.providers))}
	if c != nil {
		next.began = c.began
		if c.all {
			next.allSince = c.allSince
		}
	}
	for provider, concern := range w.providers {
		since, ok := c.since(provider)
		if !ok {
			since = now
		}
		next.providers[provider] = covered{since: since, used: &concern.used}
	}
	return next
}
