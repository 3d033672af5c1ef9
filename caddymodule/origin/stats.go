package origin

import (
	"errors"
	"sync/atomic"
	"time"
)

// Latencies are the upper bounds of the classes in which the time until the head of a
// response is counted.
func Latencies() []time.Duration { return latencies[:] }

var latencies = [...]time.Duration{
	time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// Stats is what a pool has counted.
type Stats struct {
	Open, Idle int // connections now
	Dials      uint64
	Repeated   uint64          // requests that were sent again, on a new connection
	Failures   map[Kind]uint64 // by kind; those of the client are left out
	// Responses by the time until their head, in the classes of [Latencies] and one more,
	// and the sum of these times.
	Heads    []uint64
	HeadTime time.Duration
}

// stats counts.
type stats struct {
	dials, repeated atomic.Uint64
	failures        [8]atomic.Uint64 // in the order of Kinds
	heads           [len(latencies) + 1]atomic.Uint64
	headTime        atomic.Int64
}

// count counts a failure of the origin.
func (s *stats) count(err error) {
	failed, ok := errors.AsType[*Error](err)
	if !ok {
		return
	}
	for i, k := range Kinds() {
		if k == failed.Kind {
			s.failures[i].Add(1)
		}
	}
}

// answered counts the time until the head of a response.
func (s *stats) answered(took time.Duration) {
	i := 0
	for i < len(latencies) && took > latencies[i] {
		i++
	}
	s.heads[i].Add(1)
	s.headTime.Add(int64(took))
}

// Stats returns what p has counted.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	s := Stats{Open: p.open, Idle: len(p.idle)}
	p.mu.Unlock()
	s.Dials, s.Repeated = p.stats.dials.Load(), p.stats.repeated.Load()
	s.Failures = make(map[Kind]uint64)
	for i, k := range Kinds() {
		s.Failures[k] = p.stats.failures[i].Load()
	}
	for i := range p.stats.heads {
		s.Heads = append(s.Heads, p.stats.heads[i].Load())
	}
	s.HeadTime = time.Duration(p.stats.headTime.Load())
	return s
}

// Add adds what another pool has counted.
func (s *Stats) Add(other Stats) {
	s.Open += other.Open
	s.Idle += other.Idle
	s.Dials += other.Dials
	s.Repeated += other.Repeated
	for kind, n := range other.Failures {
		s.Failures[kind] += n
	}
	for i, n := range other.Heads {
		s.Heads[i] += n
	}
	s.HeadTime += other.HeadTime
}
