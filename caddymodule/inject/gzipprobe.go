package inject

import "sync"

// maxOrigins is the most verdicts that are kept. Beyond it, any one is dropped,
// and its origin is probed again.
const maxOrigins = 4096

// verdict says whether an origin's gzip bodies may be prefixed.
type verdict uint8

const (
	unknown verdict = iota
	probing         // a response is being decoded while it is delivered
	sound           // may be prefixed
	pinned          // must be decoded and encoded again
)

// gzipVerdicts holds a verdict for each origin. The first gzip page of an origin is
// decoded while it is delivered. If its trailer is wrong or it has several members,
// the origin is pinned and its pages are encoded again: a strict decoder would reject
// such a stream with a prefix.
type gzipVerdicts struct {
	mu       sync.RWMutex // guards verdicts
	verdicts map[string]verdict
}

// pinned reports whether an origin's gzip pages must be decoded and encoded again.
func (c *gzipVerdicts) pinned(origin string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.verdicts[origin] == pinned
}

// claim returns the verdict on an origin. If it is unknown, claim marks the origin
// as being probed. A caller that receives unknown must probe the origin and call
// settle; other callers receive probing until then.
func (c *gzipVerdicts) claim(origin string) verdict {
	c.mu.RLock()
	v := c.verdicts[origin]
	c.mu.RUnlock()
	if v != unknown {
		return v
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if v = c.verdicts[origin]; v == unknown {
		c.setLocked(origin, probing)
	}
	return v
}

// settle records the verdict after a claim. With unknown, the next response is
// probed.
func (c *gzipVerdicts) settle(origin string, v verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v == unknown {
		delete(c.verdicts, origin)
		return
	}
	c.setLocked(origin, v)
}

func (c *gzipVerdicts) setLocked(origin string, v verdict) {
	if c.verdicts == nil {
		c.verdicts = make(map[string]verdict)
	}
	if _, ok := c.verdicts[origin]; !ok && len(c.verdicts) >= maxOrigins {
		for victim := range c.verdicts {
			delete(c.verdicts, victim)
			break
		}
	}
	c.verdicts[origin] = v
}

// gzipProbe decodes one response while it is delivered, to find the verdict on its
// origin.
type gzipProbe struct {
	verdicts *gzipVerdicts
	origin   string
	gunzip   *gunzip
	err      error
}

func newGzipProbe(c *gzipVerdicts, origin string) *gzipProbe {
	return &gzipProbe{verdicts: c, origin: origin, gunzip: newGunzip()}
}

func (j *gzipProbe) watch(b []byte) {
	if j.err == nil {
		j.err = j.gunzip.push(b, func([]byte) error { return nil })
	}
}

// finish records the verdict. whole says whether the origin completed its body; if
// not, the verdict stays unknown.
func (j *gzipProbe) finish(whole bool) {
	v := unknown
	if whole {
		if j.err == nil {
			j.err = j.gunzip.end()
		}
		v = sound
		if j.err != nil || j.gunzip.odd {
			v = pinned
		}
	}
	j.verdicts.settle(j.origin, v)
	j.gunzip.free()
}
