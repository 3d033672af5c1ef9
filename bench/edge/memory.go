package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// memoryProtocols are those whose idle connections are weighed.
var memoryProtocols = []protocol{http1, https1, https2}

// settle is how long a process is left alone before its memory is read.
const settle = 1500 * time.Millisecond

// memoryRounds are fewer than those of CPU: a process is started for each.
func memoryRounds(rounds int) int {
	return min(3, rounds)
}

// measureMemory opens connections to a new process, asks for one page on each,
// leaves them open, and reads what the process holds more than before.
func (c *contender) measureMemory(ctx context.Context, f *field, p protocol, n int) error {
	if err := c.restart(f); err != nil {
		return err
	}
	// What the first requests make grow is not the connections'.
	warm, err := c.open(ctx, load{page: cells[0], protocol: p, conns: 4})
	if err != nil {
		return err
	}
	_, err = warm.run(times(250))
	warm.close()
	if err != nil {
		return err
	}
	if err := sleep(ctx, settle); err != nil {
		return err
	}
	before, err := residentOf(c.pids())
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
	if err := errors.Join(append(errs, sleep(ctx, settle))...); err != nil {
		return err
	}
	after, err := residentOf(c.pids())
	if err != nil {
		return err
	}
	c.memory[p] = append(c.memory[p], float64(after-before)/float64(n))
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// residentOf is the memory that processes hold, in bytes.
func residentOf(pids []int) (int64, error) {
	var sum int64
	for _, pid := range pids {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, err
		}
		_, rest, _ := strings.Cut(string(status), "VmRSS:")
		kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.SplitN(rest, "kB", 2)[0]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the memory of %d: %w", pid, err)
		}
		sum += kilobytes << 10
	}
	return sum, nil
}
