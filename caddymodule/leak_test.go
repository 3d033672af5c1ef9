package caddymodule

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	logs "go.uber.org/zap/zaptest/observer"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// spellings are launch links as a client may repeat them in a header.
func spellings(tok string) map[string]string {
	const app = "https://app.example/"
	everyByte := func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			b.WriteString("%" + string("0123456789abcdef"[s[i]>>4]) + string("0123456789abcdef"[s[i]&15]))
		}
		return b.String()
	}
	nested := "https://market.example/go?to=" + url.QueryEscape(app+"?session="+tok)
	deep := app + "?session=" + tok
	for range 12 {
		deep = "https://a.example/?u=" + url.QueryEscape(deep)
	}
	return map[string]string{
		"as sold":                    app + "?session=" + tok,
		"behind others":              app + "?a=1&session=" + tok + "&b=2#x",
		"encoded name":               app + "?%73ession=" + tok,
		"encoded value":              app + "?session=%65" + tok[1:],
		"encoded dots":               app + "?session=" + strings.ReplaceAll(tok, ".", "%2E"),
		"every byte encoded":         app + "?" + everyByte("session="+tok),
		"encoded twice":              app + "?" + strings.ReplaceAll(everyByte("session="+tok), "%", "%25"),
		"encoded three times":        app + "?" + strings.ReplaceAll(everyByte("session="+tok), "%", "%2525"),
		"percent split from digits":  app + "?session=%%36%35" + tok[1:],
		"another case of the name":   app + "?SESSION=" + tok,
		"another name":               app + "?s=" + tok,
		"in a fragment":              app + "#session=" + tok,
		"in a fragment's query":      app + "#/route?session=" + tok,
		"in the path":                app + "enter/" + tok,
		"in a matrix parameter":      app + "x;session=" + tok,
		"encoded question mark":      app + "%3Fsession=" + tok,
		"in a query of a query":      nested,
		"twelve queries deep":        deep,
		"relative":                   "/?session=" + tok,
		"in JSON":                    `{"url":"/?session=` + tok + `"}`,
		"in encoded JSON":            url.QueryEscape(`["",{"children":["?{\"session\":\"` + tok + `\"}"]}]`),
		"alone":                      tok,
		"behind many foreign tokens": strings.Repeat(header("JWT")+".e30.x ", 40) + tok,
	}
}

// TestRefererWithATokenOfOurs: no spelling of a launch link reaches the app in a header,
// and no access log.
func TestRefererWithATokenOfOurs(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"launch+jwt", "session+jwt", "assertion+jwt"} {
		for spelling, value := range spellings(header(kind) + ".eyJzdWIiOiJhIn0.c2lnbmF0dXJl") {
			for _, name := range []string{
				"Referer", "Hx-Current-Url", "Next-Url", "Next-Router-State-Tree", "Turbo-Visit", "X-Original-Url", "X-Forwarded-Uri", "X-Inertia-Location", "X-Anything",
			} {
				r := withVars(httptest.NewRequest(http.MethodGet, "http://app.example/", nil))
				r.Header[name] = []string{"https://app.example/", value}
				sanitize(r, nil)
				if left := r.Header[name]; left != nil {
					t.Errorf("%s, %s, %s: %q is left", kind, spelling, name, left)
				}
				if skip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.LogSkipVar).(bool); !skip {
					t.Errorf("%s, %s, %s: the access log would have it", kind, spelling, name)
				}
			}
		}
	}
	// What was a launch link before something damaged it goes as well.
	for _, value := range []string{"https://app.example/?session=eyJ", "https://app.example/?a&Session=eyJhbGci.x", "https://app.example/#%73ession=eyJhb"} {
		if !repeatsToken(value, true) {
			t.Errorf("%s is left", value)
		}
	}
}

// TestOtherHeadersStay: headers that only resemble a launch link are the app's.
func TestOtherHeadersStay(t *testing.T) {
	t.Parallel()
	foreign := header("JWT") + ".eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
	own := header("launch+jwt") + ".eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
	for name, value := range map[string]string{
		"Referer":          "https://app.example/?session=1",
		"X-Path":           "https://app.example/session=eyJ",
		"X-Other-Param":    "https://app.example/?mysession=eyJ",
		"X-Foreign":        "https://app.example/?session=" + foreign,
		"X-Encoded":        "https://app.example/%e2%82%ac?q=100%25%20%zz",
		"X-Encoded-Twice":  "https://app.example/?u=" + url.QueryEscape("https://b.example/?v="+url.QueryEscape(foreign)),
		"Authorization":    "Bearer " + own,
		"Cookie":           "app=" + own,
		"X-Many-Starts":    strings.Repeat("eyJ ", 20),
		"X-Percent-At-End": "100%",
	} {
		r := withVars(httptest.NewRequest(http.MethodGet, "http://app.example/", nil))
		r.Header.Set(name, value)
		if sanitize(r, nil); r.Header.Get(name) != value {
			t.Errorf("%s: %s became %q", name, value, r.Header.Get(name))
		}
	}
}

// TestLaunchTokenInARepeatedAddress: a token that stands elsewhere in the address than a
// launch link has it does not reach the app either; the rest of the query stays as it is.
func TestLaunchTokenInARepeatedAddress(t *testing.T) {
	t.Parallel()
	tok := launchHeader + ".e30.AAAA"
	for query, want := range map[string]string{
		"a=1&next=" + url.QueryEscape("/?session="+tok) + "&b=%zz": "a=1&b=%zz",
		"Session=" + tok:              "",
		"%2573ession=" + tok + "&a=1": "a=1",
		"a=1&to=%252F%253Fs%253D%2565" + tok[1:] + "&session=mine": "a=1&session=mine",
		tok + "=1&a=2": "a=2",
		"a=1&session=" + header("JWT") + ".e30.AAAA&next=%2F%3Fsession%3D" + "1&&c": "a=1&session=" + header("JWT") + ".e30.AAAA&next=%2F%3Fsession%3D1&&c",
		"a=%e2%82%ac&b": "a=%e2%82%ac&b",
	} {
		r := withVars(httptest.NewRequest(http.MethodGet, "http://app.example/x?"+query, nil))
		inPath := stripRepeated(r)
		skip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.LogSkipVar).(bool)
		if inPath || r.URL.RawQuery != want || skip != (query != want) {
			t.Errorf("%s: the app gets %q, left out of the log: %t", query, r.URL.RawQuery, skip)
		}
		if strings.Contains(r.RequestURI, launchHeader) {
			t.Errorf("%s: the app is asked for %s", query, r.RequestURI)
		}
		if to := addressOf(r); strings.Contains(to, launchHeader) {
			t.Errorf("a page links back to %s", to)
		}
	}
}

// TestLaunchTokenInThePath: mail programs encode a link's question mark. The app, which
// would log its address, does not get it.
func TestLaunchTokenInThePath(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/%3Fsession=" + launchHeader + ".e30.AAAA", "/;session=%65" + launchHeader[1:] + ".e30.AAAA", "/a/" + launchHeader + "/b"} {
		g := &Gate{Provider: "p", edge: testEdge(t), logger: zap.NewNop(), Open: []string{"/a/*"}}
		g.policy, g.open = policyOf(g), openPaths(g.Open)
		next := caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
			t.Errorf("the app is asked for %s", r.URL)
			return nil
		})
		for name, h := range map[string]caddyhttp.MiddlewareHandler{"gate": g, "sanitizer": &Sanitizer{Gate: g, logger: zap.NewNop()}} {
			w := httptest.NewRecorder()
			r := withVars(httptest.NewRequest(http.MethodGet, "http://app.example"+path, nil))
			if err := h.ServeHTTP(w, r, next); err != nil {
				t.Fatal(err)
			}
			if w.Code != http.StatusUnauthorized || strings.Contains(w.Body.String(), launchHeader) {
				t.Errorf("%s, %s: %d %s", name, path, w.Code, w.Body)
			}
		}
	}
}

// TestErrorOfARequestWithATokenIsNotTheServers: the server logs the address that a failed
// request came with, so such an error is answered, and logged, here.
func TestErrorOfARequestWithATokenIsNotTheServers(t *testing.T) {
	t.Parallel()
	tok := launchHeader + ".e30.AAAA"
	fails := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		return caddyhttp.Error(http.StatusBadGateway, errors.New("the origin is down"))
	})
	for _, tt := range []struct {
		name, query, referer string
		server               bool // the error is the server's to answer
	}{
		{"a link that is not redeemed", "?session=" + tok, "", false},
		{"a token in the Referer", "", "https://app.example/?%73ession=" + tok, false},
		{"a token in a query of the query", "?to=%2F%3Fsession%3D" + tok, "", false},
		{"no token", "?a=1", "https://app.example/", true},
	} {
		core, logged := logs.New(zap.DebugLevel)
		g := &Gate{Provider: "p", edge: testEdge(t), logger: zap.New(core), ObserveOnly: true, OriginErrors: passErrors}
		g.policy = policyOf(g)
		for name, h := range map[string]caddyhttp.MiddlewareHandler{"gate": g, "sanitizer": &Sanitizer{Gate: g, logger: zap.New(core)}, "without a gate": &Sanitizer{logger: zap.New(core)}} {
			w := httptest.NewRecorder()
			r := withVars(httptest.NewRequest(http.MethodPost, "http://app.example/x"+tt.query, nil))
			if tt.referer != "" {
				r.Header.Set("Referer", tt.referer)
			}
			err := h.ServeHTTP(w, r, fails)
			if (err != nil) != tt.server || err == nil && w.Code != http.StatusBadGateway {
				t.Errorf("%s, %s: %v, %d", tt.name, name, err, w.Code)
			}
		}
		if lines := logged.FilterMessage("a request that came with a launch token failed").Len(); (lines == 0) != tt.server {
			t.Errorf("%s: %d lines", tt.name, lines)
		}
		for _, line := range logged.All() {
			if strings.Contains(line.Message, tokenStart) || slices.ContainsFunc(line.Context, func(f zap.Field) bool { return strings.Contains(f.String, tokenStart) }) {
				t.Errorf("%s: the log has %v", tt.name, line)
			}
		}
	}
}

// TestLookingForTokensCostsNothing: an ordinary request is not copied.
func TestLookingForTokensCostsNothing(t *testing.T) {
	h := http.Header{
		"Referer":    {"https://app.example/caf%C3%A9?q=100%25&u=https%3A%2F%2Fb.example%2F"},
		"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"}, "Cookie": {"a=b"}, "Connection": {"keep-alive"},
	}
	for _, target := range []string{"/caf%C3%A9", "/caf%C3%A9/a%20b?q=100%25&u=https%3A%2F%2Fb.example%2F&c", "/?session=42&a=1&session=mine"} {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Fatal(err)
		}
		r := &http.Request{Method: http.MethodGet, Header: h, URL: u}
		if n := testing.AllocsPerRun(100, func() {
			stripHeaders(h)
			upgrades(nil).limit(r)
			guardTrailers(r)
			launchTokens(r.URL.RawQuery)
			stripRepeated(r)
		}); n != 0 {
			t.Errorf("%s: %v allocations", target, n)
		}
	}
}

// FuzzRepeatedTokens: however a token is encoded, and whatever stands around it, it is
// found, and looking for one ends.
func FuzzRepeatedTokens(f *testing.F) {
	for _, s := range []string{"", "https://a.example/?", "%", "%25", "%%36", "eyJ", "session=", "%zz&", "eyJeyJ.eyJ", "?session%3D", "\x00\xff%ff"} {
		f.Add(s, s, uint8(1))
	}
	tok := launchHeader + ".e30.AAAA"
	f.Fuzz(func(t *testing.T, before, after string, layers uint8) {
		repeatsToken(before, true)
		s := before + "/" + tok + "/" + after
		for range layers % 8 {
			s = url.QueryEscape(s)
		}
		// A percent sign before the token takes two of its characters with it.
		if !repeatsToken(s, false) && !strings.HasSuffix(string(appendDecoded(nil, before+"/")), "%") && strings.Contains(string(appendDecoded(nil, s)), "/"+tok+"/") {
			t.Errorf("the token is not found in %q", s)
		}
		if rest := withoutRepeatedTokens(s); strings.Contains(string(appendDecoded(nil, rest)), "/"+tok+"/") && !strings.Contains(s, "&") {
			t.Errorf("%q is left of %q", rest, s)
		}
	})
}

// TestRequestsThatTheGateAnswersAreNotLogged: a request with a launch token that reaches no
// origin is not in the access log either.
func TestRequestsThatTheGateAnswersAreNotLogged(t *testing.T) {
	t.Parallel()
	g := &Gate{Provider: "p", edge: testEdge(t), logger: zap.NewNop(), Open: []string{"/open/*"}}
	g.policy, g.open = policyOf(g), openPaths(g.Open)
	launch := launchHeader + ".e30.AAAA"
	for _, tt := range []struct{ method, target, referer string }{
		{"TRACE", "/?session=" + launch, ""},
		{"TRACK", "/open/x?%73ession=" + strings.ReplaceAll(launch, "e", "%65"), ""},
		{"CONNECT", "/?u=https%3A%2F%2Fapp.example%2F%3Fsession%3D" + launch, ""},
		{"TRACE", "/", "https://app.example/?session=" + launch},
		{"GET", "http:paid?session=" + launch, ""},
		{"GET", protocol.GateSession + "?session=" + launch, ""},
		{"GET", protocol.GatePrefix + "nothing/" + launch, ""},
		{"DELETE", protocol.GateEvents + "?session=" + launch, ""},
		{"GET", protocol.GatePrefix + "boot.js", "https://app.example/?session=" + launch},
	} {
		for name, h := range map[string]caddyhttp.MiddlewareHandler{"gate": g, "sanitizer": &Sanitizer{Gate: g, logger: zap.NewNop()}} {
			to, err := url.ParseRequestURI(tt.target)
			if err != nil {
				t.Fatal(err)
			}
			r := withVars(&http.Request{Method: tt.method, URL: to, Host: "app.example", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody, RemoteAddr: "192.0.2.1:1"})
			if tt.referer != "" {
				r.Header.Set("Referer", tt.referer)
			}
			if err := h.ServeHTTP(httptest.NewRecorder(), r, nil); err != nil {
				t.Fatal(err)
			}
			if caddyhttp.GetVar(r.Context(), caddyhttp.LogSkipVar) != true {
				t.Errorf("%s: %s %s is logged", name, tt.method, tt.target)
			}
		}
	}
	r := withVars(httptest.NewRequest(http.MethodGet, "http://app.example"+protocol.GateSession+"?session=42", nil))
	if err := g.ServeHTTP(httptest.NewRecorder(), r, nil); err != nil || caddyhttp.GetVar(r.Context(), caddyhttp.LogSkipVar) != nil {
		t.Errorf("a request without a token is left out of the log (%v)", err)
	}
}
