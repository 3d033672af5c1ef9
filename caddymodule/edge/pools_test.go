package edge

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/sessiongate/sessiongate/caddymodule/origin"
)

// The origins with metrics of their own are the same at each look: their counters would
// seem to begin again otherwise.
func TestShownPoolsStay(t *testing.T) {
	t.Parallel()
	var p Pools
	for i := range 2 * poolsShown {
		p.Add(fmt.Sprintf("prov_%04d", i), origin.NewPool(origin.Config{}))
	}
	first := slices.Sorted(maps.Keys(p.stats()))
	if len(first) != poolsShown+1 || !slices.Contains(first, otherPools) {
		t.Errorf("%d labels", len(first))
	}
	for range 3 {
		if again := slices.Sorted(maps.Keys(p.stats())); !slices.Equal(again, first) {
			t.Fatal("the labels have changed")
		}
	}
}
