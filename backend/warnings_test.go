package backend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

// A provider's server is told of the warnings that its user sees, and of no others.
func TestWebhooksWarnWhenThePageDoes(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		id, _ := w.hook("http://127.0.0.1:9/", "session.warning")
		for _, c := range []struct {
			duration int
			want     []int64
		}{
			{900, []int64{300, 60}},
			{400, []int64{60}}, // 300 s are more than its half
			{100, []int64{20}}, // so are 60 s
			{20, nil},
		} {
			before := len(w.deliveries(id, ""))
			w.sell("duration_limit_seconds", c.duration)
			for range c.duration + 2 {
				w.clock.Add(time.Second)
				if _, err := w.b.AdvanceDue(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			list := w.deliveries(id, "")
			var got []int64
			for _, d := range list[:len(list)-before] {
				full, err := w.b.Store().Delivery(context.Background(), fmt.Sprint(d["id"]))
				if err != nil {
					t.Fatal(err)
				}
				var m message
				if err := json.Unmarshal([]byte(full.Payload), &m); err != nil {
					t.Fatal(err)
				}
				got = append(got, m.Data.RemainingSeconds)
			}
			slices.Reverse(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("a session of %d s: warned with %v left, want %v", c.duration, got, c.want)
			}
		}
	})
}
