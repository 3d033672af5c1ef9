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
