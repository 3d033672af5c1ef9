package backend_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sessiongate/sessiongate/backend"
)

func TestSessionFromSaleToReceipt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell("extension", map[string]any{"additional_seconds": 30, "tokens": 50, "max_count": 1}, "consent_url", "https://market.example/consent")
	if available, held := w.balance("user_1"); available != 900 || held != 100 {
		t.Errorf("after the sale %d available, %d held, want 900 and 100", available, held)
	}

	token := w.enter(launch)
	beat := w.call("POST", "/api/v1/sessions/"+id+"/heartbeat", token, map[string]any{"timestamp": 1, "active": true}).want(200)
	if beat.at("acknowledged") != true || beat.num("remaining_seconds") != 60 {
		t.Errorf("heartbeat answered %s", beat.raw)
	}

	extended := w.call("POST", "/api/v1/sessions/"+id+"/extend", token, map[string]any{}).want(200)
	if got := extended.num("session", "expires_at"); got != 1_800_000_001+60+30 {
		t.Errorf("extended until %d", got)
	}
	if available, held := w.balance("user_1"); available != 850 || held != 150 {
		t.Errorf("after extending %d available, %d held, want 850 and 150", available, held)
	}
	beyond := w.call("POST", "/api/v1/sessions/"+id+"/extend", token, map[string]any{}).want(403, "consent_required")
	if beyond.str("consent_url") != "https://market.example/consent?session_id="+id {
		t.Errorf("no consent_url: %s", beyond.raw)
	}
	w.call("POST", "/api/v1/sessions/"+id+"/extend", w.market, map[string]any{"additional_seconds": 10, "tokens_to_deduct": 50}).want(200)

	// The clock started at …001; at …051.2 the 51st second has started, of the 60 that were
	// sold for 100 tokens. Both extensions are given back.
	w.clock.Add(50*time.Second + 700*time.Millisecond)
	ended := w.call("POST", "/api/v1/sessions/"+id+"/end", token, nil).want(200)
	if ended.str("session", "status") != "completed" || ended.num("session", "settlement", "captured") != 85 || ended.num("session", "settlement", "released") != 115 {
		t.Errorf("ended as %s", ended.raw)
	}
	again := w.call("POST", "/api/v1/sessions/"+id+"/complete", w.market, map[string]any{}).want(200)
	if again.num("session", "settlement", "captured") != 85 {
		t.Errorf("completing again answered %s", again.raw)
	}
	receipt := w.call("GET", "/api/v1/users/user_1/ledger?session_id="+id, w.market, nil).want(200)
	var kinds []string
	for _, e := range receipt.at("entries").([]any) {
		kinds = append(kinds, e.(map[string]any)["kind"].(string))
	}
	if len(kinds) != 5 || kinds[0] != "release" || kinds[1] != "capture" {
		t.Errorf("the receipt has %v", kinds)
	}
	list := w.call("GET", "/api/v1/sessions/"+id+"/extensions", w.market, nil).want(200)
	if n := len(list.at("extensions").([]any)); n != 2 {
		t.Errorf("%d extensions, want 2", n)
	}
	w.audit()
}

func TestDeadlineSettlesOnceAlsoAfterRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell()
	w.enter(launch)
	w.clock.Add(45 * time.Second)
	if n, err := w.b.AdvanceDue(context.Background()); n != 1 || err != nil {
		t.Fatalf("warned %d (%v), want 1", n, err)
	}
	w.clock.Add(15*time.Second + 400*time.Millisecond) // …060.9: one tenth before the deadline
	if n, err := w.b.AdvanceDue(context.Background()); n != 0 || err != nil {
		t.Fatalf("settled %d (%v) before the deadline", n, err)
	}
	w.clock.Add(100 * time.Millisecond)
	w.open() // a new process on the same database
	if n, err := w.b.AdvanceDue(context.Background()); n != 1 || err != nil {
		t.Fatalf("settled %d (%v), want 1", n, err)
	}
	if n, err := w.b.AdvanceDue(context.Background()); n != 0 || err != nil {
		t.Fatalf("settled %d (%v) again", n, err)
	}
	got := w.call("GET", "/api/v1/sessions/"+id, w.market, nil).want(200)
	if got.str("status") != "expired" || got.num("settlement", "captured") != 100 || got.num("ended_at") != 1_800_000_061 {
		t.Errorf("settled as %s", got.raw)
	}
	w.audit()
}

// A return_url may have 2048 characters, and JSON writes some of them as six.
// Whatever is sold can be entered.
func TestWhatIsSoldFitsIntoItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := func(unit string) string {
		u := "https://market.example/done?"
		return u + strings.Repeat(unit, (2048-len(u))/utf8.RuneCountInString(unit))
	}
	_, launch := w.sell("return_url", long("a"))
	w.enter(launch)
	_, held := w.balance("user_1")
	for _, unit := range []string{"a&", "é"} {
		body := map[string]any{
			"user_id": "user_1", "provider_id": "prov_demo", "tokens_allocated": 1, "duration_limit_seconds": 60, "return_url": long(unit),
		}
		w.call("POST", "/api/v1/sessions", w.market, body).want(422, "invalid_request")
	}
	if _, now := w.balance("user_1"); now != held {
		t.Errorf("%d tokens are held for sessions that were refused", now-held)
	}
}

// A sale is traced from the caller's own span down to its statements, and so is
// a question; no span names a user.
func TestTracesReachSQL(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	w := newWorld(t)
	w.tune = func(c *backend.Config) {
		c.Traces = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	}
	w.open()
	const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	w.call("POST", "/api/v1/users/user_1/tokens", w.market, map[string]any{"amount": 5}, "traceparent", "00-"+traceID+"-00f067aa0ba902b7-01").want(201)
	w.call("GET", "/api/v1/users/user_1/balance", w.market, nil, "traceparent", "00-"+traceID+"-00f067aa0ba902b7-01").want(200)
	names := map[string]bool{}
	for _, s := range spans.GetSpans() {
		if s.SpanContext.TraceID().String() != traceID {
			t.Errorf("%s is in another trace", s.Name)
		}
		names[s.Name] = true
		for _, a := range s.Attributes {
			if strings.Contains(a.Value.String(), "user_1") {
				t.Errorf("%s names a user", s.Name)
			}
		}
	}
	for _, want := range []string{"POST /api/v1/users/{id}/tokens", "sql.tx.commit", "sql GetAPIKeyByHash", "sql InsertEntry", "GET /api/v1/users/{id}/balance", "sql GetAccount"} {
		if !names[want] {
			t.Errorf("there is no span %q, but %v", want, slices.Sorted(maps.Keys(names)))
		}
	}
}
