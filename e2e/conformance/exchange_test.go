package conformance

import (
	"testing"
)

// exchange is one request, what the origin does with it, and what the client sees.
type exchange struct {
	name   string
	call   call
	script script
	want   want
	strict *want  // instead, where the gate forwards by itself and accepts less
	only   string // the protocol, if it is for one
	own    bool   // only where the gate forwards by itself
	// origin checks what the origin was asked for.
	origin func(t *testing.T, o *origin)
}

// paces are the sizes of an origin's writes, so that a head, a chunk's size or the end of
// a line is in one piece for one protocol, and in many for another.
var paces = map[string]int{http11: 1, http20: 0, http30: 7}

// run runs exchanges over all ways and protocols, each at an origin of its own.
func run(t *testing.T, all []exchange) {
	t.Parallel()
	each(t, func(t *testing.T, e *edge, protocol string) {
		c := e.client(t, protocol)
		for _, x := range all {
			if x.only != "" && x.only != protocol || x.own && e.name != ownOrigin {
				continue
			}
			t.Run(x.name, func(t *testing.T) {
				t.Parallel()
				o := e.serve(t, &origin{script: x.script, pace: paces[protocol]})
				w := x.want
				if x.strict != nil && e.name == ownOrigin {
					w = *x.strict
				}
				if err := w.check(c.do(t, o.host, x.call)); err != nil {
					t.Error(err)
				}
				if x.origin != nil {
					x.origin(t, o)
				}
			})
		}
	})
}

// each runs a story over all ways and protocols.
func each(t *testing.T, story func(t *testing.T, e *edge, protocol string)) {
	for _, e := range edges {
		for _, protocol := range protocols {
			t.Run(e.name+"/"+protocol, func(t *testing.T) {
				t.Parallel()
				story(t, e, protocol)
			})
		}
	}
}

func strictly(w want) *want { return &w }
