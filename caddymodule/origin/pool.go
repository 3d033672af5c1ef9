package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of [Config].
const (
	DefaultDialTimeout = 3 * time.Second
	DefaultIdleTimeout = 2 * time.Minute
	DefaultStall       = 2 * time.Minute
	DefaultMaxIdle     = 128
	DefaultMaxHead     = 1 << 20
)

// Config is how an origin is reached.
type Config struct {
	Address string      // host and port
	TLS     *tls.Config // nil for plain connections

	// Dial connects to Address. Nil: a [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	DialTimeout time.Duration // of a connection, with TLS; 0: the default
	HeadTimeout time.Duration // of the head of a response after the request was sent; 0: none
	IdleTimeout time.Duration // how long a connection is kept without a request; 0: the default
	// How long the origin may take none of an upload before it answers, and how long a tunnel
	// of which one direction has ended may be silent; 0: the default.
	Stall   time.Duration
	MaxIdle int // connections that are kept; 0: the default
	MaxOpen int // connections at once; 0: no limit
	MaxHead int // bytes of the head of a response; 0: the default

	Via string // the name of this proxy in Via; default: "sessiongate"

	Now func() time.Time // nil: [time.Now]
}

// Pool has the connections to an origin.
type Pool struct {
	config Config
	stats  stats

	large atomic.Int32 // above 0: one of the latest responses was large

	viaRequest  [4]string // by the major version of the request
	viaResponse [2]string // by the minor version of the response

	mu    sync.Mutex // guards the fields below
	idle  []*conn    // the last one was used last
	open  int        // connections, idle and in use
	rest  resting
	sweep *time.Timer // closes what was idle for too long; nil while nothing is idle
	done  bool
}

// NewPool returns a pool without connections.
func NewPool(c Config) *Pool {
	if c.DialTimeout == 0 {
		c.DialTimeout = DefaultDialTimeout
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = DefaultIdleTimeout
	}
	if c.Stall == 0 {
		c.Stall = DefaultStall
	}
	if c.MaxIdle == 0 {
		c.MaxIdle = DefaultMaxIdle
	}
	if c.MaxHead == 0 {
		c.MaxHead = DefaultMaxHead
	}
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.TLS != nil {
		c.TLS = c.TLS.Clone()
		c.TLS.NextProtos = []string{"http/1.1"}
		if host, _, err := net.SplitHostPort(c.Address); err == nil && c.TLS.ServerName == "" {
			c.TLS.ServerName = host
		}
	}
	if c.Via == "" {
		c.Via = "sessiongate"
	}
	return &Pool{
		config:      c,
		viaRequest:  [4]string{"1.0 " + c.Via, "1.1 " + c.Via, "2.0 " + c.Via, "3.0 " + c.Via},
		viaResponse: [2]string{"1.0 " + c.Via, "1.1 " + c.Via},
	}
}

// Close closes the connections that are idle, and the others once they are.
func (p *Pool) Close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.done = nil, true
	p.open -= len(idle)
	p.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}

// kept returns a connection that is idle, or nil.
func (p *Pool) kept() *conn {
	for {
		c := p.takeIdle()
		if c == nil || p.config.Now().Sub(c.since) < p.config.IdleTimeout && c.quiet() && !c.hasMore() {
			return c
		}
		p.drop(c)
	}
}

// dial returns a new connection.
func (p *Pool) dial(ctx context.Context) (*conn, error) {
	if err := p.mayDial(); err != nil {
		p.stats.count(err)
		return nil, err
	}
	c, err := p.connect(ctx)
	p.dialed(ctx, err)
	return c, err
}

func (p *Pool) takeIdle() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	c := p.idle[n-1]
	p.idle[n-1] = nil
	p.idle = p.idle[:n-1]
	return c
}

// noteSize remembers how large a response was. After a large one, the next eight are read
// into a large buffer from the beginning.
func (p *Pool) noteSize(n int64) {
	if n > smallBuffer {
		p.large.Store(8)
	} else if left := p.large.Load(); left > 0 {
		p.large.CompareAndSwap(left, left-1)
	}
}

// put keeps a connection for the next request.
func (p *Pool) put(c *conn) {
	c.rest()
	c.reused, c.since = true, p.config.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done || len(p.idle) >= p.config.MaxIdle {
		p.open--
		c.close()
		return
	}
	p.idle = append(p.idle, c)
	if p.sweep == nil {
		p.sweep = time.AfterFunc(p.config.IdleTimeout, p.closeExpired)
	}
}

// drop closes a connection that was not idle.
func (p *Pool) drop(c *conn) {
	c.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
}

// closeExpired closes the connections that were idle for too long: the first ones.
func (p *Pool) closeExpired() {
	now := p.config.Now()
	p.mu.Lock()
	n := 0
	for n < len(p.idle) && now.Sub(p.idle[n].since) >= p.config.IdleTimeout {
		n++
	}
	expired := append([]*conn(nil), p.idle[:n]...)
	p.idle = append(p.idle[:0], p.idle[n:]...)
	p.open -= n
	p.sweep = nil
	if len(p.idle) > 0 {
		p.sweep = time.AfterFunc(max(time.Millisecond, p.config.IdleTimeout-now.Sub(p.idle[0].since)), p.closeExpired)
	}
	p.mu.Unlock()
	for _, c := range expired {
		c.close()
	}
}

// mayDial reserves a place for a connection.
func (p *Pool) mayDial() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.config.MaxOpen > 0 && p.open >= p.config.MaxOpen {
		return &Error{Kind: Busy, Err: fmt.Errorf("%d connections to %s are in use", p.open, p.config.Address)}
	}
	if err := p.rest.check(p.config.Now(), p.config.DialTimeout); err != nil {
		return &Error{Kind: Resting, Err: err}
	}
	p.open++
	return nil
}

// dialed is called with the outcome of a dial.
func (p *Pool) dialed(ctx context.Context, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.rest = resting{}
		return
	}
	p.open--
	if ctx.Err() == nil { // a client that left says nothing of the origin
		p.rest.failed(p.config.Now(), err)
	}
}

// connect dials, without a place of its own in the pool.
func (p *Pool) connect(ctx context.Context) (*conn, error) {
	p.stats.dials.Add(1)
	limited, cancel := context.WithTimeout(ctx, p.config.DialTimeout)
	defer cancel()
	raw, err := p.config.Dial(limited, "tcp", p.config.Address)
	if err != nil {
		return nil, p.failure(ctx, Dial, err)
	}
	if p.config.TLS == nil {
		return newConn(raw, raw), nil
	}
	secured := tls.Client(raw, p.config.TLS)
	if err := secured.HandshakeContext(limited); err != nil {
		raw.Close()
		return nil, p.failure(ctx, Handshake, err)
	}
	return newConn(secured, raw), nil
}

// failure is an error of the given kind, or [Client] if the client has left.
func (p *Pool) failure(ctx context.Context, kind Kind, err error) error {
	if ctx.Err() != nil {
		return &Error{Kind: Client, Err: context.Cause(ctx)}
	}
	failed := &Error{Kind: kind, Err: err}
	p.stats.count(failed)
	return failed
}

// resting remembers that an origin could not be dialed. For a pause that grows with each
// failure, requests fail at once, and after it one request tries.
type resting struct {
	failures int
	until    time.Time
	cause    error
}

const (
	firstRest = 100 * time.Millisecond
	longRest  = 3 * time.Second
)

var errResting = errors.New("the origin could not be dialed just before")

// check returns why the origin is not dialed now, or nil: then others wait for the
// outcome, for a while at most.
func (r *resting) check(now time.Time, dialTimeout time.Duration) error {
	if r.failures == 0 {
		return nil
	}
	if now.Before(r.until) {
		return fmt.Errorf("%w: %w", errResting, r.cause)
	}
	r.until = now.Add(dialTimeout)
	return nil
}

func (r *resting) failed(now time.Time, cause error) {
	r.until = now.Add(min(longRest, firstRest<<min(r.failures, 10)))
	r.failures++
	r.cause = cause
}
