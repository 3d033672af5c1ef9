package main

import (
	"os"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
)

// heapFloor is the heap size below which an edge does not need to collect garbage.
// By default Go collects each time the live heap has doubled. With a few megabytes
// alive, that is dozens of times a second under load.
const heapFloor = 32 << 20

// Bounds of the result of [collectorPercent]. 100 is Go's default.
const minPercent, maxPercent = 100, 1000

// collectorPercent returns the GC percentage for a live heap: how much garbage, in
// percent of the live bytes, may accumulate before the next collection. The heap
// may grow to heapFloor; once more than half of that is live, Go's default applies.
func collectorPercent(alive uint64) int {
	if alive == 0 {
		return minPercent
	}
	if alive >= heapFloor {
		return minPercent
	}
	return int(min(max(minPercent, (heapFloor-alive)*100/alive), maxPercent))
}

// tuneGC lets the heap of this process grow to heapFloor before it is collected. It
// does nothing if the operator has set GOGC. A memory limit, which Caddy takes from
// the cgroup, still applies. Call it at most once.
func tuneGC() {
	if os.Getenv("GOGC") == "" {
		afterEachCollection(adjustCollector())
	}
}

// adjustCollector returns a function that sets the GC percentage for the current
// live heap. It is to be called after each collection.
func adjustCollector() func() {
	sample := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}
	last := minPercent
	return func() {
		runtimemetrics.Read(sample)
		want := collectorPercent(sample[0].Value.Uint64())
		if want > last+last/8 || want < last-last/8 { // each change briefly stops the world
			debug.SetGCPercent(want)
			last = want
		}
	}
}

// afterEachCollection calls f after every garbage collection until the process
// ends. Each collection finalizes an unreachable object, whose finalizer calls f
// and creates the next such object.
func afterEachCollection(f func()) {
	type nothing struct{ _ *int } // has a pointer field, because tiny pointer-free objects share memory and may not be finalized
	runtime.SetFinalizer(new(nothing), func(*nothing) {
		f()
		afterEachCollection(f)
	})
}
