package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sessiongate/sessiongate/bench/internal/proc"
)

// memoryProtocols are those whose idle connections are weighed.
var memoryProtocols = []protocol{http1, https2}

// memoryTime is what one measurement of memory takes, beside opening connections.
const memoryTime = 4 * time.Second

// memoryRounds are fewer than those of CPU: a process is started for each.
func memoryRounds(rounds int) int {
	return min(3, (rounds+2)/3)
}

// measureMemory starts a new process and reads what it holds under some traffic;
// then it opens connections, asks for one page on each, and leaves them open
// while the same traffic goes on. A program with a garbage collector holds as
// much as it collects at: without traffic, it would be chance when it last did.
func (c *contender) measureMemory(ctx context.Context, f *field, p protocol, n int) error {
	if err := c.restart(f); err != nil {
		return err
	}
	before, err := c.residentUnderTraffic(ctx, p)
	if err != nil {
		return err
	}
	held := make([]client, n)
	defer func() {
		for _, conn := range held {
			if conn != nil {
				conn.close()
			}
		}
	}()
	errs := make([]error, 8)
	var all sync.WaitGroup
	for w := range errs {
		all.Go(func() {
			for i := w; i < n && errs[w] == nil; i += len(errs) {
				if held[i], errs[w] = c.dial(ctx, load{page: cells[0], protocol: p}, i); errs[w] != nil {
					held[i] = nil
					return
				}
				_, errs[w] = held[i].run(times(1)())
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	after, err := c.residentUnderTraffic(ctx, p)
	if err != nil {
		return err
	}
	c.memory[p] = append(c.memory[p], float64(after-before)/float64(n))
	return nil
}

// residentUnderTraffic asks for some thousand pages over a few connections, and
// returns what the process then holds, in bytes.
func (c *contender) residentUnderTraffic(ctx context.Context, p protocol) (int64, error) {
	few, err := c.open(ctx, load{page: cells[0], protocol: p, conns: 8})
	if err != nil {
		return 0, err
	}
	defer few.close()
	if _, err := few.run(times(800)); err != nil {
		return 0, err
	}
	return residentOf(c.processIDs())
}

// residentOf is the memory that processes hold, in bytes.
func residentOf(pids []int) (int64, error) {
	var sum int64
	for _, pid := range pids {
		n, err := proc.Memory(pid)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
