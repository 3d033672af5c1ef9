package e2e_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestValidateWarnsOfAFrontPageOutsideTheGate: an app_url without a path leads to /, where
// a gate with a matcher may not be.
func TestValidateWarnsOfAFrontPageOutsideTheGate(t *testing.T) {
	t.Parallel()
	const outside = "the page / of this site is not behind this session_gate"
	for name, tt := range map[string]struct {
		site string
		warn bool
	}{
		"a path":                         {"session_gate /app/*", true},
		"a named matcher":                {"@app path /app/* /studio/*\n\tsession_gate @app", true},
		"everything but the front page":  {"@app not path /\n\tsession_gate @app", true},
		"everything but the other pages": {"@app not path /about /welcome/*\n\tsession_gate @app", false},
		"the whole site by its path":     {"session_gate /*", false},
		"no matcher":                     {"session_gate", false},
	} {
		status, says := validated(t, "{\n\tadmin off\n\tsession_gate {\n\t\tbackend http://127.0.0.1:1\n\t}\n}\nhttp://app.example:8080 {\n\t"+tt.site+"\n\trespond ok\n}\n")
		if got := strings.Contains(says, outside); status != 0 || got != tt.warn {
			t.Errorf("%s: status %d, warned: %v\n%s", name, status, got, says)
		}
	}
}

// TestLaunchLinkPastTheGateIsReported: a launch link that leads to a page beside the gate
// is redeemed. The edge's log and the doctor report that its page has no clock.
func TestLaunchLinkPastTheGateIsReported(t *testing.T) {
	t.Parallel()
	app := patients(t)
	const reported = "a launch link leads to a page that this session_gate leaves out"
	const gate = "session_gate {\n\t\tprovider prov_split\n\t}"
	proxy := "reverse_proxy " + app.URL
	for name, tt := range map[string]struct{ site, inside string }{
		"a matcher":       {strings.Replace(gate, "session_gate", "session_gate /page", 1) + "\n\t" + proxy, "/page"},
		"a named matcher": {"@app not path /\n\t" + strings.Replace(gate, "session_gate", "session_gate @app", 1) + "\n\t" + proxy, "/page"},
		"an open handle":  {"handle /page {\n\t" + gate + "\n\t" + proxy + "\n\t}\n\thandle {\n\t" + proxy + "\n\t}", "/page"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := StartSplit(t, app.URL)
			config := s.caddyfile("")
			from, to := strings.Index(config, "\tsession_gate {\n\t\tprovider"), strings.LastIndex(config, "}")
			s.reload(t, config[:from]+"\t"+tt.site+"\n"+config[to:])
			enter := func(at string) {
				t.Helper()
				sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10})
				a := Browser(t).Do(t, "GET", strings.Replace(sold.LaunchURL, s.App+"/", s.App+at, 1), nil)
				if a.Status != http.StatusSeeOther || a.Header.Get("Location") != at || a.Header.Get("Set-Cookie") == "" {
					t.Fatalf("a launch link to %s: %d to %q", at, a.Status, a.Header.Get("Location"))
				}
			}
			enter(tt.inside)
			if strings.Contains(s.Log.String(), reported) {
				t.Error("a launch link to a page behind the gate is reported")
			}
			for range 3 {
				enter("/")
			}
			if n := strings.Count(s.Log.String(), reported); n != 1 {
				t.Errorf("three launch links past the gate are reported %d times, want once a minute\n%s", n, lineWith(s.Log.String(), reported))
			}
			if line := lineWith(s.Log.String(), reported); strings.Contains(line, "eyJ") || !strings.Contains(line, `"path":"/"`) {
				t.Errorf("the log has %s", line)
			}
			sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10})
			_, r := examine(t, "", s.App+tt.inside, "--session", sold.LaunchURL)
			check(t, r, "injection warning", "the launch link leads to /, which is open")
			check(t, r, "injection ok", "has the clock")
			_, r = examine(t, "", s.App+"/", "--session", sold.LaunchURL)
			check(t, r, "refusal failed", "got 200")
		})
	}
}

// TestRefusalLeadsToTheMarketplace: at an edge for all providers, whoever comes without a
// session finds the way to the marketplace, though nothing in the Caddyfile names it.
func TestRefusalLeadsToTheMarketplace(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, patients(t).URL)
	config := strings.Replace(s.caddyfile(""), "\t\tprovider prov_split\n", "", 1)
	_, port, _ := strings.Cut(strings.TrimPrefix(s.App, "http://"), ":")
	s.reload(t, strings.Replace(config, s.App+" {", "http://:"+port+" {", 1))
	register := func(domain string, returns ...string) {
		t.Helper()
		a := Caller(s.AdminKey).Do(t, "POST", s.API+"/api/v1/providers", map[string]any{
			"id": "prov_" + strings.ReplaceAll(strings.TrimSuffix(domain, ".localhost"), "-", "_"), "name": "P", "origin_url": s.Origin, "domains": []string{domain},
			"policies": map[string]any{"return_hosts": returns},
		})
		if a.Status != http.StatusCreated {
			t.Fatalf("registering %s: %d %s", domain, a.Status, a.Body)
		}
	}
	register("one.localhost", "market.example", "other.example")
	register("port.localhost", "market.example:8443")
	register("here.localhost", "localhost:3000")
	register("own.localhost", "own.localhost:"+port, "market.example")
	register("none.localhost")
	buyer := s.buy(t, terms{User: s.newUser(t, 10), Seconds: 300, Tokens: 10})
	visit := func(host, query string) (*http.Response, []byte) {
		t.Helper()
		req, err := http.NewRequest("GET", s.App+"/page"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host + ":" + port
		req.Header.Set("Sec-Fetch-Mode", "navigate")
		req.Header.Set("Sec-Fetch-Dest", "document")
		resp, err := plainClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, body
	}
	for _, tt := range []struct{ host, query, link string }{
		{"one.localhost", "", "https://market.example/"},
		{"one.localhost", "?session=eyJ.damaged", "https://market.example/"},
		{"port.localhost", "", "https://market.example:8443/"},
		{"here.localhost", "", "http://localhost:3000/"},
		{"own.localhost", "", "https://market.example/"},
		{"none.localhost", "", ""},
		{"unknown.localhost", "", ""},
	} {
		visit(tt.host, "?session="+buyer.Token) // a host is looked up for a request with a token of ours
		resp, body := visit(tt.host, tt.query)
		link := ""
		if _, rest, ok := strings.Cut(string(body), `href="`); ok {
			link, _, _ = strings.Cut(rest, `"`)
		}
		if resp.StatusCode < 400 || link != tt.link {
			t.Errorf("%s%s: %d, the page links to %q, want %q", tt.host, tt.query, resp.StatusCode, link, tt.link)
		}
	}
	// Paths that a gate finds by its configuration name their page there.
	s.reload(t, s.caddyfile(""))
	if a := page(Browser(t), t, "GET", s.App+"/page", nil); a.Status != http.StatusUnauthorized || strings.Contains(string(a.Body), "<a ") {
		t.Errorf("with a provider in the Caddyfile: %d %s", a.Status, a.Body)
	}
}

// lineWith returns the first line of a log that contains part.
func lineWith(log, part string) string {
	for line := range strings.SplitSeq(log, "\n") {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}
