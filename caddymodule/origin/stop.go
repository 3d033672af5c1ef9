package origin

import (
	"context"
	"sync"
)

// Stop ends an exchange from outside, as the end of the request's context does. It costs
// less than a context of its own. The zero value is ready for one exchange.
type Stop struct {
	mu      sync.Mutex // guards the fields below
	stopped bool
	end     func() // ends what goes on at present
}

// Stop ends the exchange, or keeps it from beginning. It may be called at any time, from
// any goroutine.
func (s *Stop) Stop() {
	s.mu.Lock()
	end := s.end
	s.stopped, s.end = true, nil
	s.mu.Unlock()
	if end != nil {
		end()
	}
}

// set says what ends the exchange from now on; nil: nothing does. It reports whether the
// exchange may go on.
func (s *Stop) set(end func()) bool {
	if s == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end = end
	return !s.stopped
}

// over reports whether the exchange was stopped.
func (s *Stop) over() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// ended returns why the exchange may not go on, or nil.
func (o *Outgoing) ended() error {
	if o.Stop.over() {
		return context.Canceled
	}
	return context.Cause(o.Context())
}
