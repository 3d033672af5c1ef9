package inject

import "sync"

// maxOrigins bounds the verdicts kept; beyond it, origins are probed again.
const maxOrigins = 4096

// verdict is what is known about an origin's gzip bodies.
type verdict uint8

const (
	unknown verdict = iota
	probing         // a response is being decoded beside its delivery
	sound           // may be prefixed
	pinned          // has to be encoded again
)

// gzipVerdicts keeps a verdict for each origin. The first gzip page of an origin is
// decoded beside its delivery; an origin whose trailer is wrong or that sends
// several members is pinned: a strict decoder would reject what prefixing makes
// of such a stream.
type gzipVerdicts struct {
	mu       sync.RWMutex // guards verdicts
	verdicts map[string]verdict
}

// pinned reports whether an origin's pages have to be encoded again.
func (c *gzipVerdicts) pinned(origin string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.verdicts[origin] == pinned
}

// claim returns the verdict on an origin. For the one caller that sees unknown
// it marks the origin as being probed; that caller must call settle.
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

// settle ends a claim; unknown lets the next response be probed instead.
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

// gzipProbe decodes one response beside its delivery.
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

// finish settles the verdict; whole says that the origin ended its body well.
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
