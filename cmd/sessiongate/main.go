// Command sessiongate contains the whole product in one binary: the edge, which is
// Caddy with the session gate and keeps Caddy's command line (run, reload, adapt,
// validate, …), the session service, a demo of both, and their tools.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"slices"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/redis/go-redis/v9"

	"github.com/sessiongate/sessiongate/caddymodule"
	"github.com/sessiongate/sessiongate/caddymodule/edge"
	_ "github.com/sessiongate/sessiongate/edgestorage"
	"github.com/sessiongate/sessiongate/internal/redisurl"
)

// about is the first part of the program's help. It replaces Caddy's text.
const about = `Sessiongate is a coin slot for any web app: it lets paid sessions in, shows their
clock, and ends them on time. This program contains the edge (Caddy with the
session gate), the session service, a demo of both, and their tools.

Start with "sessiongate demo". The edge is configured by a Caddyfile; its options
are described in docs/caddyfile.md.
`

// replacing are the commands of Caddy that replace the running binary with one
// from Caddy's download page, which does not contain Sessiongate. The program
// refuses them, and its help does not list them.
var replacing = []string{"upgrade", "add-package", "remove-package"}

// runningEdges are the commands that run an edge in this process.
var runningEdges = []string{"run", "demo"}

func init() {
	caddy.RegisterModule(formerLazyEncoder{})
}

// formerLazyEncoder registers the log encoder session_gate_lazy under its former
// name, so that `format lazy` in a Caddyfile still works in this program. The Caddy
// module does not register that name, because it has no session_gate prefix.
type formerLazyEncoder struct{}

// CaddyModule implements [caddy.Module].
func (formerLazyEncoder) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.encoders.lazy", New: func() caddy.Module { return new(caddymodule.LazyEncoder) }}
}

func main() {
	if len(os.Args) > 1 && slices.Contains(replacing, os.Args[1]) {
		fmt.Fprintf(os.Stderr, "sessiongate %s: not supported, because it would replace this program with a Caddy without Sessiongate. "+
			"Install a release instead, or build one with other modules as xcaddy.txt shows.\n", os.Args[1])
		os.Exit(2)
	}
	if len(os.Args) > 1 && slices.Contains(runningEdges, os.Args[1]) {
		tuneGC()
	}
	redis.SetLogger(redisurl.NoLog{})
	caddy.CustomBinaryName, caddy.CustomLongDescription = "sessiongate", about
	caddy.CustomVersion = "Sessiongate " + edge.Version() + ", Caddy"
	caddycmd.Main()
}

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
