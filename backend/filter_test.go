package backend_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// A stream of some providers has the changes of their sessions alone; each position in it is
// one in the stream of all, so that it resumes for others as well.
func TestStreamOfSomeProviders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := "prov_other"
	w.call("POST", "/api/v1/providers", w.admin, map[string]any{
		"id": other, "name": "Other", "domains": []string{"other.example"}, "vouch": true, "origin_url": "http://127.0.0.1:1",
		"policies": map[string]any{"return_hosts": []string{"market.example"}},
	}).want(201)
	all, stopAll := w.followBy("POST", "", "")
	defer stopAll()
	empty, stopEmpty := w.followBy("POST", `{"providers":[]}`, "")
	defer stopEmpty()
	some, stop := w.followBy("POST", fmt.Sprintf(`{"providers":[%q,"prov_unknown"]}`, other), "")
	for _, events := range []<-chan event{all, empty, some} {
		next(t, events, protocol.StreamReset)
	}
	first, _ := w.sell()
	second, _ := w.sell("provider_id", other)
	third, _ := w.sell()
	for _, events := range []<-chan event{all, empty} {
		for _, want := range []string{first, second, third} {
			if got, _ := nextState(t, events); got.ID != want {
				t.Errorf("all: %s, want %s", got.ID, want)
			}
		}
	}
	got, id := nextState(t, some)
	if got.ID != second || got.ProviderID != other {
		t.Errorf("some: %+v", got)
	}
	// A stream without news tells its position, with which it resumes.
	for clock := next(t, some, protocol.StreamTime); ; clock = next(t, some, protocol.StreamTime) {
		if clock.id != id {
			id = clock.id
			break
		}
	}
	stop()
	fourth, _ := w.sell()
	fifth, _ := w.sell("provider_id", other)
	resumed, stop := w.followBy("POST", fmt.Sprintf(`{"providers":[%q]}`, other), id)
	defer stop()
	if got, _ := nextState(t, resumed); got.ID != fifth {
		t.Errorf("resumed with %s, want %s", got.ID, fifth)
	}
	wider, stop := w.followBy("POST", fmt.Sprintf(`{"providers":[%q,%q]}`, other, "prov_demo"), id)
	defer stop()
	for _, want := range []string{fourth, fifth} {
		if got, _ := nextState(t, wider); got.ID != want {
			t.Errorf("resumed for more providers with %s, want %s", got.ID, want)
		}
	}
}

// What a stream may be asked for has bounds, and its callers are edges.
func TestRequestsForStreamsAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := func(n, length int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("prov_%04d", i) + strings.Repeat("x", length-9)
		}
		return list
	}
	ask := func(providers any) *answer {
		return w.call("POST", protocol.EdgeEvents, w.edge, map[string]any{"providers": providers})
	}
	ask(ids(protocol.MaxStreamProviders+1, 10)).want(422, "invalid_request")
	ask(ids(1, protocol.MaxProviderID+1)).want(422, "invalid_request")
	ask([]string{""}).want(422, "invalid_request")
	ask("prov_a").want(422, "invalid_request")
	w.call("POST", protocol.EdgeEvents, w.edge, map[string]any{"providers": nil, "more": 1}).want(422, "invalid_request")
	w.call("POST", protocol.EdgeEvents, w.market, map[string]any{}).want(403)
	w.call("POST", protocol.EdgeEvents, "", map[string]any{}).want(401)
	large := fmt.Sprintf(`{"providers":["%s"]}`, strings.Join(ids(protocol.MaxStreamProviders, protocol.MaxProviderID), `","`))
	events, stop := w.followBy("POST", large, "")
	defer stop()
	next(t, events, protocol.StreamReset)
}
