package service

import (
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/backend/store"
)

func TestURLs(t *testing.T) {
	t.Parallel()
	hosts := []string{"market.example", "[2001:db8::1]", "other.example:8443"}
	questions := map[string]func(string) bool{
		"isPage":           isPage,
		"isOrigin":         isOrigin,
		"IsIssuer":         IsIssuer,
		"isProviderIssuer": isProviderIssuer,
		"IsHTTP":           IsHTTP,
		"returnAllowed":    func(raw string) bool { return returnAllowed(raw, hosts) },
	}
	const every = "isPage isOrigin IsIssuer isProviderIssuer IsHTTP returnAllowed"
	for _, tt := range []struct{ raw, yes string }{
		{"https://market.example", every},
		{"https://market.example/", every},
		{"https://market.example:443/", every},
		{"https://market.example:8443/", "isPage isOrigin IsIssuer isProviderIssuer IsHTTP"},
		{"https://other.example:8443", every},
		{"https://other.example", "isPage isOrigin IsIssuer isProviderIssuer IsHTTP"},
		{"https://[2001:db8::1]/", every},
		{"http://market.example", "isPage isOrigin IsIssuer IsHTTP returnAllowed"},
		{"http://127.0.0.1:3000", "isPage isOrigin IsIssuer isProviderIssuer IsHTTP"},
		{"http://localhost", "isPage isOrigin IsIssuer isProviderIssuer IsHTTP"},
		{"https://market.example/path", "isPage IsIssuer isProviderIssuer IsHTTP returnAllowed"},
		{"https://market.example/?a=1", "isPage isProviderIssuer IsHTTP returnAllowed"},
		{"https://market.example/#top", "isPage isProviderIssuer IsHTTP returnAllowed"},
		{"https://user@market.example/", "IsIssuer isProviderIssuer IsHTTP"},
		{"https://", "IsHTTP"},
		{"https://market.example:port/", "IsHTTP"},
		{"javascript:alert(1)", ""},
		{"ftp://market.example/", ""},
		{"//market.example/", ""},
		{"market.example", ""},
		{"", ""},
	} {
		want := make(map[string]bool)
		for _, name := range strings.Fields(tt.yes) {
			want[name] = true
		}
		for name, question := range questions {
			if got := question(tt.raw); got != want[name] {
				t.Errorf("%s(%q) = %v, want %v", name, tt.raw, got, want[name])
			}
		}
	}
}

// TestReturnAddressIsNotTheApp: whoever is refused by the gate is not sent back to it.
func TestReturnAddressIsNotTheApp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		back, app string
		domains   []string
		want      bool
	}{
		{"https://app.example/thanks", "https://app.example/", []string{"app.example"}, true},
		{"https://App.Example.:443/thanks", "https://app.example/start", []string{"app.example"}, true},
		{"http://app.example/thanks", "https://app.example/", []string{"app.example"}, true},
		{"https://other.example/", "https://app.example/", []string{"app.example", "other.example"}, true},
		{"https://app.example/", "", []string{"app.example"}, true},
		{"http://127.0.0.1:8082/", "http://127.0.0.1:8082/", []string{"127.0.0.1"}, true},
		{"http://127.0.0.1:8080/", "http://127.0.0.1:8082/", []string{"127.0.0.1"}, false},
		{"https://app.example/", "https://app.example:8443/", []string{"app.example"}, false},
		{"https://app.example:8443/", "https://app.example/", []string{"app.example"}, false},
		{"https://market.example/done?next=https://app.example/", "https://app.example/", []string{"app.example"}, false},
		{"https://www.app.example/", "https://app.example/", []string{"app.example"}, false},
	} {
		if got := returnsToApp(tt.back, store.Provider{AppURL: tt.app, Domains: tt.domains}); got != tt.want {
			t.Errorf("%s, app %s, domains %v: %v", tt.back, tt.app, tt.domains, got)
		}
	}
}

// The first domain leads to a page: an IPv6 address has brackets in a URL.
func TestAppURLOfADomain(t *testing.T) {
	t.Parallel()
	for domain, want := range map[string]string{
		"app.acme.com": "https://app.acme.com/", "192.0.2.7": "https://192.0.2.7/", "::1": "https://[::1]/", "2001:db8::1": "https://[2001:db8::1]/",
	} {
		p := store.Provider{Domains: []string{domain, "other.example"}}
		if got := AppURL(p); got != want || !isPage(got) {
			t.Errorf("AppURL with %s is %s, want %s", domain, got, want)
		}
		if !returnsToApp(want+"done", p) {
			t.Errorf("%sdone does not lead back to the app", want)
		}
	}
}
