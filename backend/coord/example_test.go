package coord_test

import (
	"context"
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/backend/coord"
)

// A subscriber begins with a reset, and is then told what changes.
func ExampleMemory() {
	ctx := context.Background()
	m := coord.NewMemory(coord.DefaultLog, time.Now)
	sub, err := m.Subscribe("")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := m.Publish(ctx, coord.State{ID: "s1", Version: 1, Data: []byte(`{"id":"s1"}`)}); err != nil {
		fmt.Println(err)
		return
	}
	batch, err := sub.Next(ctx)
	fmt.Println(batch.Reset, len(batch.Events), err)
	// Output: true 1 <nil>
}
