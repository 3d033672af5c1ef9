package backend_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// states asks for the live states of ids.
func (w *world) states(ids ...string) *answer {
	w.t.Helper()
	return w.call("POST", protocol.EdgeStates, w.edge, map[string]any{"ids": ids})
}

// statesOf is an answer's states as "id status version", and its unknown ids.
func (a *answer) statesOf() (states, unknown []string) {
	a.t.Helper()
	for _, v := range a.at("states").([]any) {
		state := v.(map[string]any)
		states = append(states, state["id"].(string)+" "+state["status"].(string))
	}
	list, _ := a.body["unknown"].([]any)
	for _, v := range list {
		unknown = append(unknown, v.(string))
	}
	return states, unknown
}

func TestEdgesReadStatesInTheOrderOfTheRequest(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		first, _ := w.sell()
		second, _ := w.sell()
		third, _ := w.sell()
		w.call("POST", "/api/v1/sessions/"+second+"/revoke", w.admin, map[string]any{"refund": "none"}).want(200)
		long := strings.Repeat("x", 65)
		a := w.states(third, "unheard-of", first, long, second, first).want(200)
		states, unknown := a.statesOf()
		if want := []string{third + " active", first + " active", second + " revoked", first + " active"}; !slices.Equal(states, want) {
			t.Errorf("states are %q, want %q", states, want)
		}
		if want := []string{"unheard-of", long}; !slices.Equal(unknown, want) {
			t.Errorf("unknown are %q, want %q", unknown, want)
		}
		if a.num("server_time_ms") != w.now().UnixMilli() {
			t.Errorf("the clock is %s", a.raw)
		}
		// It is a question, not a sign of life.
		w.b.FlushBeats(t.Context())
		if beats := w.beats(first); beats.Count != 0 {
			t.Errorf("counted as %+v", beats)
		}
	})
}

func TestStatesAreForEdges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell()
	body := map[string]any{"ids": []string{id}}
	for name, key := range map[string]string{"marketplace": w.market, "provider": w.provider, "admin": w.admin} {
		if a := w.call("POST", protocol.EdgeStates, key, body); a.status != 403 {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	w.call("POST", protocol.EdgeStates, w.enter(launch), body).want(401)
	w.call("POST", protocol.EdgeStates, "", body).want(401)
}

func TestAskingForStatesIsLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := make([]string, protocol.MaxStates)
	for i := range ids {
		ids[i] = strings.Repeat("x", 100)
	}
	if _, unknown := w.states(ids...).want(200).statesOf(); len(unknown) != protocol.MaxStates {
		t.Errorf("%d are unknown", len(unknown))
	}
	w.states(append(ids, "one more")...).want(422, "invalid_request")
	w.states([]string{}...).want(422, "invalid_request")
	w.call("POST", protocol.EdgeStates, w.edge, map[string]any{}).want(422, "invalid_request")
	w.call("POST", protocol.EdgeStates, w.edge, "[").want(400, "invalid_request")
}
