package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sessiongate/sessiongate/bench/internal/proc"
)

// pace is how many requests a second are sent when latency is measured: far
// from what any contender can bear.
const pace = 200

// pacedLoad is what they ask for.
var pacedLoad = load{page: cell{2 << 10, true}, conns: many}

// pacedFigure is what one round at that pace gave.
type pacedFigure struct {
	cpu      float64 // µs for each request
	p50, p99 float64 // µs
}

// pacedTime is how long a contender is sent requests in each round.
func (b *bench) pacedTime() time.Duration {
	return max(4*b.each, time.Second/2)
}

// measurePaced sends requests at a steady pace, each when its time has come
// whether or not earlier ones were answered, over connections that take turns.
func (c *contender) measurePaced(ctx context.Context, d time.Duration) error {
	list, err := c.open(ctx, pacedLoad)
	if err != nil {
		return err
	}
	defer list.close()
	if _, err := list.run(times(3)); err != nil {
		return err
	}
	before, err := proc.CPU(c.processIDs()...)
	if err != nil {
		return err
	}
	perConn := int(d.Seconds()*pace)/len(list) + 1
	took := make([][]time.Duration, len(list))
	errs := make([]error, len(list))
	began := time.Now()
	var all sync.WaitGroup
	for i, conn := range list {
		all.Go(func() {
			for k := range perConn {
				due := began.Add(time.Duration(k*len(list)+i) * time.Second / pace)
				select {
				case <-ctx.Done():
					errs[i] = ctx.Err()
					return
				case <-time.After(time.Until(due)):
				}
				sent := time.Now()
				if _, err := conn.run(times(1)()); err != nil {
					errs[i] = err
					return
				}
				took[i] = append(took[i], time.Since(sent))
			}
		})
	}
	all.Wait()
	after, err := proc.CPU(c.processIDs()...)
	if err = errors.Join(append(errs, err)...); err != nil {
		return err
	}
	sorted := slices.Sorted(slices.Values(slices.Concat(took...)))
	at := func(q float64) float64 { return float64(sorted[int(q*float64(len(sorted)-1))].Nanoseconds()) / 1e3 }
	c.paced = append(c.paced, pacedFigure{cpu: float64((after - before).Nanoseconds()) / 1e3 / float64(len(sorted)), p50: at(0.5), p99: at(0.99)})
	return nil
}
