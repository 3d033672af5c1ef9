package main

import (
	"os"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
)

// heapFloor is the size below which the heap of an edge need not be collected.
// Go collects a small heap each time it has doubled: with some megabytes alive
// that is dozens of times a second under load.
const heapFloor = 32 << 20

// Bounds of what [collectorPercent] answers; 100 is Go's own default.
const minPercent, maxPercent = 100, 1000

// collectorPercent is how much garbage, in percent of what is alive, may gather
// before the next collection: enough to reach the floor, and Go's own default
// once more than half of that is alive.
func collectorPercent(alive uint64) int {
	if alive == 0 {
		return minPercent
	}
	if alive >= heapFloor {
		return minPercent
	}
	return int(min(max(minPercent, (heapFloor-alive)*100/alive), maxPercent))
}

// tuneGC lets a small heap of this process grow to heapFloor before it is
// collected. It does nothing where the operator has set GOGC. A memory limit,
// which Caddy takes from its cgroup, holds in any case. Call it once.
func tuneGC() {
	if os.Getenv("GOGC") == "" {
		afterEachCollection(adjustCollector())
	}
}

// adjustCollector returns what to do after a collection: follow what is alive.
func adjustCollector() func() {
	sample := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}
	last := minPercent
	return func() {
		runtimemetrics.Read(sample)
		want := collectorPercent(sample[0].Value.Uint64())
		if want > last+last/8 || want < last-last/8 { // each change stops the world for a moment
			debug.SetGCPercent(want)
			last = want
		}
	}
}

// afterEachCollection calls f after every one, for as long as the process lives:
// an object that nothing holds is finalized by each, and leaves another.
func afterEachCollection(f func()) {
	type nothing struct{ _ *int } // with a pointer, or it might share a slot
	runtime.SetFinalizer(new(nothing), func(*nothing) {
		f()
		afterEachCollection(f)
	})
}
