package coord

import (
	"fmt"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/coord/coordtest"
)

// An edge that opens a wider stream right after an event, at a process that is told the
// event a moment later than the one before, is not reset.
func TestSubscriberIsAheadOfAProcess(t *testing.T) {
	t.Parallel()
	server := coordtest.Start(t)
	a, b := openRedis(t, server.URL(), 10_000), openRedis(t, server.URL(), 10_000)
	run(t, a)
	run(t, b)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	go func() {
		for i := 1; ; i++ {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
				_ = a.Publish(ctx, state(fmt.Sprint("s", i), 1))
			}
		}
	}()
	resets := 0
	onA := subscribe(t, a, "")
	for range 200 {
		batch, err := onA.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(batch.Events) == 0 {
			continue
		}
		onB, err := b.Subscribe(batch.Events[len(batch.Events)-1].ID)
		if err != nil {
			t.Fatal(err)
		}
		first, err := onB.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if first.Reset {
			resets++
		}
	}
	if resets > 0 {
		t.Errorf("%d of 200 subscribers are reset", resets)
	}
}
