package coord

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/sessiongate/sessiongate/backend/coord/coordtest"
)

// manyRemembered remembers more states than one pipeline takes. Older ones among them
// replace nothing.
func manyRemembered(t *testing.T, c coordinator) {
	publish(t, c, state("many-7", 9))
	var list []State
	var ids []string
	for i := range statesPerPipeline + 3 {
		ids = append(ids, fmt.Sprintf("many-%d", i))
		list = append(list, state(ids[i], 2))
	}
	if err := c.Remember(ctx, append(list, state("many-8", 1))...); err != nil {
		t.Fatal(err)
	}
	if err := c.Remember(ctx); err != nil {
		t.Error(err)
	}
	got, err := c.States(ctx, ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range got {
		want := int64(2)
		if i == 7 {
			want = 9
		}
		if s.ID != ids[i] || s.Version != want {
			t.Errorf("%s is %s@%d, want version %d", ids[i], s.ID, s.Version, want)
		}
	}
}

// publishedIsKnown asks which versions need no publishing: the published one, and older
// ones. What was read from the database alone is not published.
func publishedIsKnown(t *testing.T, c coordinator) {
	sub := subscribe(t, c, "")
	if err := c.Remember(ctx, state("known-b", 3)); err != nil {
		t.Fatal(err)
	}
	publish(t, c, state("known-a", 2))
	read(t, sub, "known-a@2")
	got := c.Published([]Version{{"known-a", 2}, {"known-a", 1}, {"known-a", 3}, {"known-b", 3}, {"unheard-of", 1}, {"known-a", 0}})
	if want := []bool{true, true, false, false, false, false}; !slices.Equal(got, want) {
		t.Errorf("published: %v, want %v", got, want)
	}
}

// States that one process read from the database are found by another in Redis, also
// after Redis forgot the scripts.
func TestRememberedStatesAreShared(t *testing.T) {
	t.Parallel()
	server := coordtest.Start(t)
	a, b := openRedis(t, server.URL(), 100), openRedis(t, server.URL(), 100)
	run(t, a)
	run(t, b)
	publish(t, a, state("n1", 5))
	for round, list := range [][]State{{state("n1", 4), state("n2", 1)}, {state("n1", 4), state("n3", 1), state("n4", 1)}} {
		if round == 1 {
			if err := a.client.ScriptFlush(ctx).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Remember(ctx, list...); err != nil {
			t.Fatal(err)
		}
	}
	coordtest.Eventually(t, "b finds them", func() error {
		got, err := b.States(ctx, []string{"n1", "n2", "n3", "n4"})
		if err == nil && (got[0].Version != 5 || got[1].ID == "" || got[2].ID == "" || got[3].ID == "") {
			err = fmt.Errorf("it finds %+v", got)
		}
		return err
	})
	server.Kill(t)
	coordtest.Eventually(t, "a notices", func() error {
		if !a.events.isDown() {
			return errors.New("the stream seems to live")
		}
		return nil
	})
	if err := a.Remember(ctx, state("n5", 1), state("n6", 1)); err != nil {
		t.Errorf("without Redis: %v", err)
	}
	if got := a.Published([]Version{{"n1", 5}}); got[0] {
		t.Error("what was published before Redis failed is taken for published")
	}
}
