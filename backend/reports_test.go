package backend_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/store"
)

// report sends a batch of an edge's with what it says besides.
func (w *world) report(id string, more map[string]any) {
	w.t.Helper()
	body := map[string]any{"edge_id": id, "beats": []any{}}
	maps.Copy(body, more)
	w.call("POST", "/api/v1/edge/heartbeats", w.edge, body).want(200)
}

func (w *world) edges() (list []map[string]any) {
	w.t.Helper()
	for _, v := range w.call("GET", "/api/v1/edges", w.admin, nil).want(200).at("edges").([]any) {
		list = append(list, v.(map[string]any))
	}
	return list
}

func TestEdgesAreSeen(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		if list := w.edges(); len(list) != 0 {
			t.Fatalf("before any came: %v", list)
		}
		started := w.clock.Now().Unix() - 100
		self := func(started int64, live, lag int) map[string]any {
			return map[string]any{"edge": map[string]any{"version": "v1.2.3", "started_at": started, "live_sessions": live, "stream_lag_ms": lag}}
		}
		w.report("edge-before", nil) // from before edges reported: accepted, and not seen
		w.report("edge-1", self(started, 7, 1500))
		w.report("edge-2", self(started-1, 0, -1))
		w.report("edge with spaces", self(started, 1, 0))
		w.report("edge-3", map[string]any{"edge": map[string]any{"version": "v9", "started_at": started + 1, "live_sessions": -5, "stream_lag_ms": -7, "mood": "good"}, "weather": "fine"})
		list := w.edges()
		if len(list) != 3 || list[0]["id"] != "edge-3" || list[1]["id"] != "edge-1" || list[2]["id"] != "edge-2" {
			t.Fatalf("seen: %v", list)
		}
		if e := list[1]; e["version"] != "v1.2.3" || e["live_sessions"] != 7.0 || e["stream_lag_ms"] != 1500.0 || int64(e["started_at"].(float64)) != started ||
			e["last_seen_at"] != float64(w.clock.Now().Unix()) || e["addresses"].([]any)[0] != "127.0.0.1" {
			t.Errorf("edge-1 is %v", e)
		}
		if list[0]["live_sessions"] != 0.0 || list[0]["stream_lag_ms"] != -1.0 {
			t.Errorf("figures that cannot be are shown: %v", list[2])
		}
		w.clock.Add(59 * time.Minute)
		w.report("edge-1", self(started, 8, 10))
		if list := w.edges(); len(list) != 3 || list[1]["live_sessions"] != 8.0 {
			t.Errorf("59 minutes later: %v", list)
		}
		w.clock.Add(2 * time.Minute)
		if list := w.edges(); len(list) != 1 || list[0]["id"] != "edge-1" {
			t.Errorf("61 minutes later: %v", list)
		}
	})
}

const ofPages = "/api/v1/providers/prov_demo/pages"

func seenPage(path, outcome string, count int, at time.Time) map[string]any {
	return map[string]any{"provider_id": "prov_demo", "host": "App.Provider.example", "path": path, "outcome": outcome, "count": count, "last_at": at.Unix()}
}

func TestPagesAreSeen(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		now := w.clock.Now()
		tell := func(pages ...any) { w.t.Helper(); w.report("edge-1", map[string]any{"pages": pages}) }
		foreign, odd, loose := seenPage("/", "prefix", 1, now), seenPage("/", "two words", 1, now), seenPage("/x", "sneezed", 1, now.Add(24*time.Hour))
		foreign["provider_id"] = "prov_none"
		tell(seenPage("/docs", "prefix", 3, now), seenPage("/orders/12345?token=hunter2", "no_transform", 1, now.Add(-time.Minute)), foreign, odd, loose)
		tell(seenPage("/docs", "prefix", 2, now.Add(-time.Hour)), seenPage("/docs", "no_transform", 1, now.Add(-2*time.Hour)))
		for _, key := range []string{w.provider, w.admin} {
			a := w.call("GET", ofPages, key, nil).want(200)
			pages := a.at("pages").([]any)
			if len(pages) != 4 || a.num("as_of") != now.Unix() || strings.Contains(string(a.raw), "hunter2") || strings.Contains(string(a.raw), "12345") {
				t.Fatalf("pages are %s", a.raw)
			}
			line := func(i int) map[string]any { return pages[i].(map[string]any) }
			if p := line(0); p["host"] != "app.provider.example" || p["path"] != "/docs" || p["injected"] != true || p["count"] != 5.0 || p["remedy"] != "" || p["last_at"] != float64(now.Unix()) {
				t.Errorf("the first is %v", p)
			}
			if p := line(1); p["outcome"] != "sneezed" || p["injected"] != false || !strings.Contains(p["remedy"].(string), "does not know") {
				t.Errorf("the second is %v", p)
			}
			if p := line(2); p["path"] != "/orders/…" || p["remedy"] != "The page forbids changes with Cache-Control: no-transform. Remove no-transform from the app's Cache-Control header." {
				t.Errorf("the third is %v", p)
			}
		}
		w.call("GET", "/api/v1/providers/prov_none/pages", w.admin, nil).want(404)
		tooMany := make([]any, 201)
		for i := range tooMany {
			tooMany[i] = seenPage("/", "prefix", 1, now)
		}
		w.call("POST", "/api/v1/edge/heartbeats", w.edge, map[string]any{"edge_id": "e", "beats": []any{}, "pages": tooMany}).want(422, "invalid_request")
	})
}

// TestPagesAreBounded reports more pages than a provider keeps.
func TestPagesAreBounded(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		for batch := range 6 {
			var pages []any
			for i := range 120 {
				pages = append(pages, seenPage(fmt.Sprintf("/%c/%c%c", 'a'+batch, 'a'+i%26, 'a'+i/26), "prefix", 1, w.clock.Now()))
			}
			w.report("edge-1", map[string]any{"pages": pages})
			if n := len(w.call("GET", ofPages, w.provider, nil).want(200).at("pages").([]any)); n != min(200, 120*(batch+1)) {
				t.Fatalf("%d pages are shown", n)
			}
			w.clock.Add(time.Second)
		}
		st := w.b.Store()
		err := st.Write(context.Background(), func(tx *store.Tx) error {
			n, err := tx.ForgetPageReports(context.Background(), w.clock.Now())
			if n > 600 || n < 480 {
				t.Errorf("%d pages were kept, want about 500", n)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(w.call("GET", ofPages, w.provider, nil).want(200).at("pages").([]any)); n != 0 {
			t.Errorf("%d pages are left", n)
		}
	})
}

// TestErasedUsersHaveNoPages: a page may have a user's id for a part of its path
// that its reader was not. A marketplace that erases a user with a common word for an id
// erases no pages of providers where the user never was.
func TestErasedUsersHaveNoPages(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		now := w.clock.Now()
		if _, err := w.b.CreateProvider(context.Background(), store.Provider{ID: "prov_other", Name: "Other"}); err != nil {
			t.Fatal(err)
		}
		w.credit("ada_l", 500)
		sold := w.call("POST", "/api/v1/sessions", w.market, order("user_id", "ada_l")).want(201)
		w.secrets = append(w.secrets, sold.str("token"))
		w.call("POST", "/api/v1/sessions/"+sold.str("session", "id")+"/complete", w.market, nil).want(200)
		elsewhere := seenPage("/ada_l/posts", "prefix", 1, now)
		elsewhere["provider_id"] = "prov_other"
		w.report("edge-1", map[string]any{"pages": []any{
			seenPage("/hello/ada_l", "prefix", 1, now), seenPage("/ada_l/posts", "prefix", 1, now),
			seenPage("/hello/adaxl", "prefix", 1, now), seenPage("/hello/ada_lovelace", "prefix", 1, now), elsewhere,
		}})
		w.call("POST", "/api/v1/users/ada_l/erase", w.market, nil).want(200)
		a := w.call("GET", ofPages, w.provider, nil).want(200)
		if n := len(a.at("pages").([]any)); n != 2 || strings.Contains(string(a.raw), `ada_l"`) || strings.Contains(string(a.raw), "posts") {
			t.Errorf("left: %s", a.raw)
		}
		if a := w.call("GET", "/api/v1/providers/prov_other/pages", w.admin, nil).want(200); len(a.at("pages").([]any)) != 1 {
			t.Errorf("left at the other: %s", a.raw)
		}
	})
}
