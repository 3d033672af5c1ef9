package backend_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const demoSite = "/api/v1/providers/prov_demo"

func (w *world) site(bearer string, change any) *answer {
	w.t.Helper()
	return w.call("PATCH", demoSite, bearer, map[string]any{"site": change})
}

func spelled(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSiteSettings changes the settings of a site and reads them as the API, an edge's host
// look-up and an edge's request for several providers show them.
func TestSiteSettings(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		const defaults = `{"brand":{"accent":"#0f6b5c","app_name":"","logo_url":"","shop_url":"","support_url":""},"clock":{"collapsed":false,"hidden":false,"position":"bottom-right","texts":{}},` +
			`"cookie":"lax","forward_identity":"headers","inject":"on","maintenance":{"message":"","on":false,"until":0},"max_sessions":0,"open_paths":[],"upload_grace_seconds":0}`
		if got := spelled(t, w.call("GET", demoSite, w.provider, nil).want(200).at("site")); got != defaults {
			t.Errorf("at first %s", got)
		}
		w.site(w.provider, map[string]any{"open_paths": []string{"robots.txt", "https://app.provider.example/hooks/*"}, "max_sessions": 2, "brand": map[string]any{"app_name": "App", "accent": "#FA0"}}).want(200)
		a := w.site(w.provider, map[string]any{"brand": map[string]any{"app_name": nil}, "inject": "off"}).want(200)
		if got := spelled(t, a.at("site", "open_paths")); got != `["/robots.txt","/hooks/*"]` || a.str("site", "brand", "accent") != "#ffaa00" || a.str("site", "brand", "app_name") != "" || a.num("site", "max_sessions") != 2 {
			t.Errorf("merged: %s", a.raw)
		}
		w.call("PATCH", demoSite, w.provider, map[string]any{"name": "Demo"}).want(200) // as older clients do
		host := w.call("GET", protocol.EdgeHosts+"app.provider.example", w.edge, nil).want(200)
		if host.num("site", "version") != 2 || host.str("site", "site", "inject") != "off" || host.str("site", "id") != "site:prov_demo" {
			t.Errorf("a host look-up has %s", host.raw)
		}
		sites := w.call("POST", protocol.EdgeSites, w.edge, map[string]any{"providers": []string{"prov_none", "prov_demo", "prov_demo"}}).want(200)
		if list := sites.at("sites").([]any); len(list) != 1 || spelled(t, list[0]) != spelled(t, host.at("site")) {
			t.Errorf("sites: %s", sites.raw)
		}
		w.call("POST", protocol.EdgeSites, w.provider, map[string]any{"providers": []string{"prov_demo"}}).want(403)
		if got := w.ask("site:prov_demo"); got != "unknown" {
			t.Errorf("settings are taken for a session that is %s", got)
		}
		if got := spelled(t, w.site(w.admin, nil).want(200).at("site")); got != defaults {
			t.Errorf("after null: %s, want %s", got, defaults)
		}
	})
}

// TestSiteSettingsAreChecked has refusals that say what to do, and leaves nothing behind.
func TestSiteSettingsAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		change any
		say    string
	}{
		{map[string]any{"open_paths": []string{"/*"}}, "site.open_paths[0] would open the whole site"},
		{map[string]any{"open_paths": []string{"/a", "/.session-gate/*"}}, "site.open_paths[1] would open the gate's own paths"},
		{map[string]any{"brand": map[string]any{"shop_url": "https://a.example/?session=x"}}, "site.brand.shop_url must not have the query parameter session"},
		{map[string]any{"brand": map[string]any{"logo_url": "http://a.example/x.png"}}, "site.brand.logo_url must begin with https://"},
	} {
		if a := w.site(w.provider, c.change).want(422, "invalid_request"); !strings.Contains(a.str("detail"), c.say) {
			t.Errorf("%v: %s", c.change, a.raw)
		}
	}
	for _, change := range []any{"x", []any{}, map[string]any{"opened": true}, map[string]any{"brand": map[string]any{"hue": "x"}}, map[string]any{"max_sessions": "2"}, map[string]any{"inject": "maybe"}} {
		w.site(w.provider, change).want(422, "invalid_request")
	}
	if a := w.call("GET", protocol.EdgeHosts+"app.provider.example", w.edge, nil).want(200); a.num("site", "version") != 0 {
		t.Errorf("%s", a.raw)
	}
	made := w.call("POST", "/api/v1/providers", w.admin, map[string]any{"name": "Other", "site": map[string]any{"max_sessions": 3}}).want(201)
	if made.num("site", "max_sessions") != 3 {
		t.Errorf("%s", made.raw)
	}
}

// TestSiteSettingsOfGuests: a guest changes those that nobody set, as it does with policies.
func TestSiteSettingsOfGuests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g, _ := w.guest("prov_demo")
	g.call("PATCH", demoSite, map[string]any{"site": map[string]any{"inject": "off"}}).want(403, "forbidden")
	g.call("PATCH", demoSite, map[string]any{"site": map[string]any{"inject": "on"}}).want(200) // no change
	w.call("POST", "/api/v1/providers", w.admin, map[string]any{"id": "prov_new", "name": "New"}).want(201)
	fresh, _ := w.guest("prov_new")
	fresh.call("PATCH", "/api/v1/providers/prov_new", map[string]any{"site": map[string]any{"inject": "off"}}).want(200)
	if items := w.guestItems("prov_new"); items != "site" {
		t.Errorf("unconfirmed: %s", items)
	}
}

// TestSiteChangesAreAudited has the fields of a change, before and after, whoever made it.
func TestSiteChangesAreAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.site(w.provider, map[string]any{"max_sessions": 2, "brand": map[string]any{"app_name": "App"}}).want(200)
	w.call("PATCH", demoSite, w.provider, map[string]any{"name": "Other"}).want(200)
	a := w.call("GET", "/api/v1/audit", w.admin, nil).want(200)
	list := a.at("entries").([]any)
	if len(list) != 1 {
		t.Fatalf("%s", a.raw)
	}
	want := `[{"after":"App","before":"","field":"site.brand.app_name"},{"after":2,"before":0,"field":"site.max_sessions"}]`
	if got := spelled(t, list[0].(map[string]any)["changes"]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	long := make([]string, 100)
	for i := range long {
		long[i] = "/" + strings.Repeat("a", 150) + string(rune('a'+i%26)) + string(rune('a'+i/26))
	}
	w.site(w.provider, map[string]any{"open_paths": long}).want(200)
	a = w.call("GET", "/api/v1/audit?limit=1", w.admin, nil).want(200)
	if len(a.raw) > 5000 || !strings.Contains(string(a.raw), "…") {
		t.Errorf("%d bytes: %.200s", len(a.raw), a.raw)
	}
}

// TestSiteChangesAreStreamed: edges that follow the provider receive its settings.
func TestSiteChangesAreStreamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	events, stop := w.followBy("POST", `{"providers":["prov_demo"]}`, "")
	defer stop()
	next(t, events, protocol.StreamReset)
	w.site(w.provider, map[string]any{"max_sessions": 2}).want(200)
	var state protocol.SiteState
	if err := json.Unmarshal([]byte(next(t, events, protocol.StreamSite).data), &state); err != nil || state.ProviderID != "prov_demo" || state.Version != 1 || state.Site.MaxSessions != 2 {
		t.Errorf("%+v, %v", state, err)
	}
}

// TestSiteOverrides shows which settings the Caddyfiles of edges set themselves.
func TestSiteOverrides(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.report("edge-1", map[string]any{"edge": map[string]any{"version": "v1", "started_at": 1, "live_sessions": 0, "stream_lag_ms": 1, "sites": []any{
			map[string]any{"provider_id": "prov_demo", "options": []string{"open_paths", "nonsense"}},
			map[string]any{"provider_id": "prov_other", "options": []string{"cookie"}},
			map[string]any{"options": []string{"inject"}},
		}}})
		if got := spelled(t, w.edges()[0]["site_options"]); !strings.Contains(got, `"prov_demo"`) || strings.Contains(got, "nonsense") {
			t.Errorf("%s", got)
		}
		if got := spelled(t, w.call("GET", demoSite, w.provider, nil).want(200).at("site_overrides")); got != `["inject","open_paths"]` {
			t.Errorf("%s", got)
		}
	})
}
