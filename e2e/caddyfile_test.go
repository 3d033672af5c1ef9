package e2e_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// validated runs `sessiongate validate` on a Caddyfile.
func validated(t *testing.T, caddyfile string) (status int, says string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(caddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
	status, _, says = command(t, t.TempDir(), "validate", "--config", file, "--adapter", "caddyfile")
	return status, says
}

// TestCaddyfileMistakesSayWhatIsMeant: a mistake that is easily made is refused in
// words that say how to write it.
func TestCaddyfileMistakesSayWhatIsMeant(t *testing.T) {
	t.Parallel()
	const global = "{\n\tadmin off\n\tsession_gate {\n\t\tbackend http://127.0.0.1:1\n\t}\n}\n"
	site := func(gate string) string {
		return global + "http://app.example:8080 {\n\t" + gate + "\n\trespond ok\n}\n"
	}
	for name, tt := range map[string]struct{ caddyfile, says string }{
		"provider as an argument":                 {site("session_gate prov_app"), "to name the provider, write: session_gate { provider prov_app }"},
		"provider as an argument with a block":    {site("session_gate prov_app {\n\t\tinject on\n\t}"), "session_gate { provider prov_app }"},
		"argument of the global option":           {"{\n\tsession_gate http://127.0.0.1:8081\n}\nhttp://app.example:8080 {\n\trespond ok\n}\n", "session_gate { backend <url> }"},
		"provider from an unset variable":         {site("session_gate {\n\t\tprovider {$SESSIONGATE_NO_SUCH}\n\t}"), "provider has no value; if it is written as {$NAME}, the environment variable NAME is not set"},
		"provider from an unset variable, quoted": {site("session_gate {\n\t\tprovider \"{$SESSIONGATE_NO_SUCH}\"\n\t}"), "provider has no value"},
		"provider from an unset placeholder":      {site("session_gate {\n\t\tprovider {env.SESSIONGATE_NO_SUCH}\n\t}"), "provider is {env.SESSIONGATE_NO_SUCH}, which is empty"},
		"backend from an unset variable":          {"{\n\tsession_gate {\n\t\tbackend {$SESSIONGATE_NO_SUCH}\n\t}\n}\nhttp://app.example:8080 {\n\tsession_gate\n}\n", "backend has no value"},
		"backend from an unset placeholder":       {"{\n\tadmin off\n\tsession_gate {\n\t\tbackend {env.SESSIONGATE_NO_SUCH}\n\t}\n}\nhttp://app.example:8080 {\n\tsession_gate\n}\n", "backend is {env.SESSIONGATE_NO_SUCH}, which is empty"},
		"duration from an unset variable":         {site("session_gate {\n\t\tupload_grace {$SESSIONGATE_NO_SUCH}\n\t}"), "upload_grace has no value"},
		"word from an unset variable":             {site("session_gate {\n\t\tinject {$SESSIONGATE_NO_SUCH}\n\t}"), "inject has no value"},
		"redirect to an unset variable":           {site("session_gate {\n\t\ton_missing redirect {$SESSIONGATE_NO_SUCH}\n\t}"), "the environment variable NAME is not set"},
		"a URL without a word":                    {site("session_gate {\n\t\ton_missing https://market.example/\n\t}"), "page https://market.example/ or redirect https://market.example/"},
		"backend in a site":                       {site("session_gate {\n\t\tbackend http://127.0.0.1:8081\n\t}"), "backend is a global option: write it in the session_gate block at the top"},
		"edge_key in a site":                      {site("session_gate {\n\t\tedge_key x\n\t}"), "edge_key is a global option"},
		"provider in the global options":          {"{\n\tsession_gate {\n\t\tprovider prov_app\n\t}\n}\nhttp://app.example:8080 {\n\tsession_gate\n}\n", "provider belongs into a site"},
		"a redirect to the site":                  {site("session_gate {\n\t\ton_missing redirect /welcome\n\t}"), "on_missing redirect /welcome leads back to this gate"},
		"a redirect to the site by its name":      {site("session_gate {\n\t\ton_missing redirect http://App.example:8080/welcome\n\t}"), "leads back to this gate"},
		"a redirect after the end":                {site("session_gate {\n\t\ton_expired redirect /over\n\t}"), "on_expired redirect /over leads back to this gate"},
		"a redirect within the matcher":           {site("session_gate /app/* {\n\t\ton_missing redirect /app/welcome\n\t}"), "refuses /app/welcome as well"},
		"a named route beside a handle":           {strings.Replace(site("handle /app/* {\n\t\tinvoke gated\n\t}\n\thandle {\n\t\trespond open\n\t}"), "http://app.", "&(gated) {\n\tsession_gate\n\trespond ok\n}\nhttp://app.", 1), "make it a snippet: write (gated) instead of &(gated)"},
		"a named route after a proxy":             {strings.Replace(site("route {\n\t\treverse_proxy /open/* 127.0.0.1:1\n\t\tinvoke gated\n\t}"), "http://app.", "&(gated) {\n\tsession_gate\n\trespond ok\n}\nhttp://app.", 1), "the named route gated is invoked beside routes"},
		"a redirect within a handle":              {site("handle /app/* {\n\t\tsession_gate {\n\t\t\ton_missing redirect /app/welcome\n\t\t}\n\t}"), "leads back to this gate"},
	} {
		status, says := validated(t, tt.caddyfile)
		if status == 0 || !strings.Contains(says, tt.says) {
			t.Errorf("%s: status %d, %s\nwant %q", name, status, says, tt.says)
		}
	}
	status, says := validated(t, strings.Replace(site("session_gate"), "backend http://127.0.0.1:1", "backend http://127.0.0.1:1\n\t\tedge_key {$SESSIONGATE_NO_SUCH}", 1))
	if status != 0 || !strings.Contains(says, "edge_key is empty") {
		t.Errorf("a key from an unset variable: status %d, %s", status, says)
	}
	for name, caddyfile := range map[string]string{
		"a redirect to a page outside of the matcher": site("session_gate /app/* {\n\t\ton_missing redirect /welcome\n\t}"),
		"a redirect to a page that is left out":       site("@gated not path /welcome\n\tsession_gate @gated {\n\t\ton_missing redirect /welcome\n\t}"),
		"a redirect to an open page":                  site("session_gate {\n\t\topen /welcome\n\t\ton_missing redirect /welcome\n\t}"),
		"a redirect to another handle":                site("handle /welcome {\n\t\trespond hello\n\t}\n\thandle {\n\t\tsession_gate {\n\t\t\ton_missing redirect /welcome\n\t\t}\n\t}"),
		"a redirect to another site":                  site("session_gate {\n\t\ton_missing redirect https://market.example/welcome\n\t}"),
		"a page with a link":                          site("session_gate {\n\t\ton_missing page /welcome\n\t}"),
		"a redirect that is not known yet":            site("session_gate {\n\t\ton_missing redirect /welcome{uri}\n\t}"),
	} {
		if status, says := validated(t, caddyfile); status != 0 {
			t.Errorf("%s: status %d, %s", name, status, says)
		}
	}
}

// TestValidateWarnsOfOpenRoutes: `validate` says where visitors pass a gate by, and where
// a gate is that pages cannot call.
func TestValidateWarnsOfOpenRoutes(t *testing.T) {
	t.Parallel()
	const open, noAPI = "routes beside this session_gate admit visitors", "do not reach this session_gate"
	const asked = "order session_gate before forward_auth"
	for name, tt := range map[string]struct{ site, warning string }{
		"an open handle beside it":      {"handle /app/* {\n\t\tsession_gate\n\t}\n\thandle {\n\t\trespond ok\n\t}", open},
		"an open handle before it":      {"handle /open/* {\n\t\trespond ok\n\t}\n\thandle {\n\t\tsession_gate\n\t\trespond ok\n\t}", open},
		"an open handle_path":           {"handle_path /open/* {\n\t\trespond ok\n\t}\n\thandle {\n\t\tsession_gate\n\t\trespond ok\n\t}", open},
		"a route in which it stands":    {"route /app/* {\n\t\tsession_gate\n\t}\n\trespond ok", open},
		"a handle that is all there is": {"handle /app/* {\n\t\tsession_gate\n\t\trespond ok\n\t}", noAPI},
		"a matcher":                     {"session_gate /app/*\n\trespond ok", ""},
		"no matcher":                    {"session_gate\n\trespond ok", ""},
		"a proxy before it":             {"route {\n\t\treverse_proxy /open/* 127.0.0.1:1\n\t\tsession_gate\n\t\trespond ok\n\t}", open},
		"a route with a proxy first":    {"route /open/* {\n\t\treverse_proxy 127.0.0.1:1\n\t}\n\troute {\n\t\tsession_gate\n\t\trespond ok\n\t}", open},
		"an answer before it":           {"route {\n\t\trespond /health ok\n\t\tsession_gate\n\t\trespond ok\n\t}", ""},
		"leave asked of some requests":  {"forward_auth /admin/* 127.0.0.1:1 {\n\t\turi /check\n\t}\n\tsession_gate\n\trespond ok", ""},
		"leave asked of all requests":   {"forward_auth 127.0.0.1:1 {\n\t\turi /check\n\t}\n\tsession_gate\n\trespond ok", asked},
		"everything in a handle":        {"handle {\n\t\tsession_gate\n\t\trespond ok\n\t}", ""},
	} {
		status, says := validated(t, "{\n\tadmin off\n\tsession_gate {\n\t\tbackend http://127.0.0.1:1\n\t}\n}\nhttp://app.example:8080 {\n\t"+tt.site+"\n}\nhttp://other.example:8080 {\n\trespond other\n}\n")
		if status != 0 {
			t.Errorf("%s: status %d, %s", name, status, says)
		}
		for _, warning := range []string{open, noAPI, asked} {
			if got := strings.Contains(says, warning); got != (warning == tt.warning) {
				t.Errorf("%s: warned that %q: %v\n%s", name, warning, got, says)
			}
		}
	}
}

// TestOpenRoutesGetNothingOfOurs: whatever stands beside a gate, the app gets neither
// headers that a client made up, nor the session's cookie, nor a launch token, and a
// launch link that leads there admits its user.
func TestOpenRoutesGetNothingOfOurs(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Uri", r.RequestURI)
		w.Header().Set("X-User", r.Header.Get("Session-Gate-User"))
		w.Header().Set("X-Forged", strings.Join(append(r.Header["Session_gate_user"], r.Header["Session-Gate-Admin"]...), ""))
		w.Header().Set("X-Cookie", r.Header.Get("Cookie"))
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(app.Close)
	s := StartSplit(t, app.URL)
	proxy := "reverse_proxy " + app.URL
	const gate = "session_gate {\n\t\tprovider prov_split\n\t}"
	for name, site := range map[string]string{
		"an open handle beside it":    "handle /app/* {\n\t" + gate + "\n\t" + proxy + "\n\t}\n\thandle {\n\t" + proxy + "\n\t}",
		"an open handle before it":    "handle /open/* {\n\t" + proxy + "\n\t}\n\thandle /app/* {\n\t" + gate + "\n\t" + proxy + "\n\t}\n\thandle {\n\t" + proxy + "\n\t}",
		"a matcher":                   strings.Replace(gate, "session_gate", "session_gate /app/*", 1) + "\n\t" + proxy,
		"a named matcher in a handle": "@app path /app/*\n\thandle {\n\t" + strings.Replace(gate, "session_gate", "session_gate @app", 1) + "\n\t" + proxy + "\n\t}",
		"a proxy before it":           "route {\n\treverse_proxy /open/* " + app.URL + "\n\thandle /app/* {\n\t" + gate + "\n\t" + proxy + "\n\t}\n\t" + proxy + "\n\t}",
		"a route with a proxy first":  "route /open/* {\n\t" + proxy + "\n\t}\n\troute /app/* {\n\t" + gate + "\n\t" + proxy + "\n\t}\n\t" + proxy,
		"leave asked first":           "forward_auth /app/x " + app.URL + " {\n\turi /check\n\t}\n\t" + strings.Replace(gate, "session_gate", "session_gate /app/*", 1) + "\n\t" + proxy,
		"in a named route":            "invoke gated",
		"a route with a matcher":      "route /app/* {\n\t" + gate + "\n\t" + proxy + "\n\t}\n\t" + proxy,
	} {
		t.Run(name, func(t *testing.T) {
			config := s.caddyfile("")
			from, to := strings.Index(config, "\tsession_gate {\n\t\tprovider"), strings.LastIndex(config, "}")
			config = config[:from] + "\t" + site + "\n" + config[to:]
			if name == "in a named route" { // with an open handle inside
				at := strings.LastIndex(config[:from], "\nhttp://") + 1
				config = config[:at] + "&(gated) {\n\thandle /app/* {\n\t" + gate + "\n\t" + proxy + "\n\t}\n\thandle {\n\t" + proxy + "\n\t}\n}\n" + config[at:]
			}
			s.reload(t, config)
			forged := []string{"Session-Gate-User", "admin", "Session_Gate_User", "admin", "Session-Gate-Admin", "1"}
			for _, path := range []string{"/", "/open/x?session=eyJhbGciOi.x.y&a=1", "/open/x?a=1&session=" + forgedToken + "&session=" + forgedToken, "/?session=" + forgedToken} {
				a := Browser(t).Do(t, "GET", s.App+path, nil, append(forged, "Cookie", "session_gate=stolen; a=1")...)
				if a.Status != http.StatusNoContent || a.Header.Get("X-User") != "" || a.Header.Get("X-Forged") != "" || a.Header.Get("X-Cookie") != "a=1" || strings.Contains(a.Header.Get("X-Uri"), "eyJ") {
					t.Errorf("%s: %d, the app got %v", path, a.Status, a.Header)
				}
			}
			if a := Browser(t).Do(t, "GET", s.App+"/app/x", nil); a.Status != http.StatusUnauthorized {
				t.Errorf("the gated path without a session: %d", a.Status)
			}
			for _, path := range []string{"/", "/open/page", "/app/x"} {
				sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10})
				b := Browser(t)
				a := b.Do(t, "GET", strings.Replace(sold.LaunchURL, s.App+"/", s.App+path, 1), nil)
				if a.Status != http.StatusSeeOther || a.Header.Get("Location") != path || a.Header.Get("Set-Cookie") == "" {
					t.Errorf("a launch link to %s: %d to %q", path, a.Status, a.Header.Get("Location"))
				}
				if a := b.Do(t, "GET", s.App+"/app/x", nil, forged...); a.Status != http.StatusNoContent || a.Header.Get("X-User") == "" || a.Header.Get("X-User") == "admin" || a.Header.Get("X-Cookie") != "" {
					t.Errorf("the gated path after a launch at %s: %d, the app got %v", path, a.Status, a.Header)
				}
				if a := b.Do(t, "GET", s.App+"/.session-gate/session", nil, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin"); a.Status != http.StatusOK {
					t.Errorf("the page's own API: %d %s", a.Status, a.Body)
				}
			}
		})
	}
}

// forgedToken has the shape of a launch token.
var forgedToken = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"launch+jwt"}`)) + ".e30.AAAA"

// TestFinalDotOfAHost: a site's name with a final dot leads to the name without it,
// with path, query and launch token.
func TestFinalDotOfAHost(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	dotted := strings.Replace(strings.TrimPrefix(s.App, "http://"), ":", ".:", 1)
	get := func(path string, headers ...string) *Answer {
		t.Helper()
		req, err := http.NewRequest("GET", s.App+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = dotted
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		resp, err := plainClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return &Answer{Status: resp.StatusCode, Header: resp.Header}
	}
	for _, path := range []string{"/", "/a%2Fb?x=1;y&z", "//elsewhere.example/x", "/.session-gate/session", "/?session=eyJhbGciOi.x.y"} {
		if a := get(path); a.Status != http.StatusPermanentRedirect || a.Header.Get("Location") != s.App+path {
			t.Errorf("%s: %d to %q", path, a.Status, a.Header.Get("Location"))
		}
	}
	if a := get("/ws", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "c2Vzc2lvbmdhdGUtZHJjMQ=="); a.Status != http.StatusUnauthorized {
		t.Errorf("a WebSocket without a session: %d", a.Status)
	}
	link := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10}).LaunchURL
	to := get(strings.TrimPrefix(link, s.App)).Header.Get("Location")
	s.enter(t, to)
}
