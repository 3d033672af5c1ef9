package live

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// A record loses nothing of a state, whatever it was made after.
func TestRecordsComeBackWhole(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	var c interner
	var old *Record
	for i := range 20_000 {
		st := &protocol.LiveState{
			ID: pick("a", "0198c5d2-7b51-7c3e-9a55-0d6a6f0c8e11"), UserID: pick("", "u", "ü ser", "new\nline", "user_7"), ProviderID: pick("p", "q"),
			Status: statuses[r.IntN(len(statuses))], Version: r.Int64(), ExpiresAt: r.Int64N(1 << 40), StartedAt: r.Int64N(3), PausedAt: r.Int64N(3),
			DurationLimitSeconds: r.Int64(), TokensAllocated: r.Int64(), ReturnURL: fmt.Sprint("https://m.example/", r.IntN(9000)),
			SettlementPolicy: protocol.SettlementPolicy(pick("", "full", "prorated")),
			Mode:             protocol.Mode(pick("", "test", "staff", "preview")),
			Standstill:       pick("", "maintenance"),
		}
		for range r.IntN(3) {
			st.WarningSeconds = append(st.WarningSeconds, r.Int64N(4))
		}
		if r.IntN(2) == 0 {
			st.Extension = &protocol.Extension{AdditionalSeconds: r.Int64N(3), Tokens: r.Int64N(3), MaxCount: r.Int64N(100), Used: r.Int64N(100)}
		}
		if r.IntN(2) == 0 {
			st.Pause = &protocol.PauseRight{MaxCount: r.Int64N(1000), MaxSeconds: r.Int64N(3), Used: r.Int64N(1000)}
		}
		old = c.record(st, old)
		if got := old.State(); !reflect.DeepEqual(got, st) {
			t.Fatalf("%d: got %+v, want %+v", i, got, st)
		}
		if len(c.strings) > maxShared || len(c.terms) > maxShared {
			t.Fatalf("%d strings and %d terms are kept", len(c.strings), len(c.terms))
		}
	}
	if got := c.record(&protocol.LiveState{Status: "novel"}, nil); got.status.status().Terminal() == false {
		t.Error("a status that nobody knows is live")
	}
}
