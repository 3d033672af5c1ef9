package inject

import (
	"net/http"
	"strings"
	"testing"
)

func TestPermitScript(t *testing.T) {
	t.Parallel()
	self := site{scheme: "https", host: "app.example"}
	// Policies are separated by '\n' into header lines; "RO " marks report-only.
	for _, row := range []struct {
		name, policy, want, nonce string
	}{
		{"none at all", "", "", ""},
		{"no fetch directives", "frame-ancestors 'none'; upgrade-insecure-requests", "frame-ancestors 'none'; upgrade-insecure-requests", ""},
		{"self", "default-src 'self'", "default-src 'self'", ""},
		{"self in capitals", "DEFAULT-SRC 'SELF'", "DEFAULT-SRC 'SELF'", ""},
		{"any", "script-src *; connect-src *", "script-src *; connect-src *", ""},
		{"scheme", "script-src https:; connect-src https:", "script-src https:; connect-src https:", ""},
		{"older scheme", "script-src http:", "script-src http:", ""},
		{"other scheme", "script-src data:", "script-src data: 'nonce-made'", "made"},
		{"host", "script-src app.example; connect-src https://app.example/", "script-src app.example; connect-src https://app.example/", ""},
		{"wildcard host", "script-src *.example", "script-src *.example", ""},
		{"wildcard of the host itself", "script-src *.app.example", "script-src *.app.example 'nonce-made'", "made"},
		{"host with path", "script-src https://app.example/js/", "script-src https://app.example/js/ 'nonce-made'", "made"},
		{"other host", "script-src https://cdn.example", "script-src https://cdn.example 'nonce-made'", "made"},
		{"nonce", "script-src 'nonce-aGk='", "script-src 'nonce-aGk='", "aGk="},
		{"nonce and self", "script-src 'self' 'nonce-aGk='", "script-src 'self' 'nonce-aGk='", ""},
		{"nonce in capitals", "script-src 'NONCE-aGk='", "script-src 'NONCE-aGk='", "aGk="},
		{"malformed nonce", "script-src 'nonce-a\"><b'", "script-src 'nonce-a\"><b' 'nonce-made'", "made"},
		{"strict-dynamic with self", "script-src 'self' 'strict-dynamic' 'nonce-n1'", "script-src 'self' 'strict-dynamic' 'nonce-n1'", "n1"},
		{"strict-dynamic, the backward compatible way", "script-src 'strict-dynamic' 'nonce-n1' 'unsafe-inline' https:", "script-src 'strict-dynamic' 'nonce-n1' 'unsafe-inline' https:", "n1"},
		{"strict-dynamic with hashes", "script-src 'strict-dynamic' 'sha256-x=' 'unsafe-inline'", "script-src 'strict-dynamic' 'sha256-x=' 'unsafe-inline' 'nonce-made'", "made"},
		{"hashes", "script-src 'sha256-x='", "script-src 'sha256-x=' 'nonce-made'", "made"},
		{"unsafe-inline stays on", "script-src 'unsafe-inline' https://cdn.example", "script-src 'unsafe-inline' https://cdn.example 'self'", ""},
		{"unsafe-inline that is off anyway", "script-src 'unsafe-inline' 'sha256-x='", "script-src 'unsafe-inline' 'sha256-x=' 'nonce-made'", "made"},
		{"unsafe-inline in the default", "default-src 'unsafe-inline' data:", "default-src 'unsafe-inline' data:; script-src 'unsafe-inline' data: 'self'; connect-src 'unsafe-inline' data: 'self'", ""},
		{"none by default", "default-src 'none'", "default-src 'none'; script-src 'nonce-made'; connect-src 'self'", "made"},
		{"none for scripts", "script-src 'none'", "script-src 'nonce-made'", "made"},
		{"nothing for scripts", "script-src", "script-src 'nonce-made'", "made"},
		{"none for calls", "connect-src 'None'", "connect-src 'self'", ""},
		{"copy of the default", "default-src https://cdn.example; img-src *;", "default-src https://cdn.example; img-src *; script-src https://cdn.example 'nonce-made'; connect-src https://cdn.example 'self'", "made"},
		{"default with a nonce", "default-src 'nonce-n1'", "default-src 'nonce-n1'; connect-src 'nonce-n1' 'self'", "n1"},
		{"elements before scripts", "script-src 'self'; script-src-elem https://cdn.example", "script-src 'self'; script-src-elem https://cdn.example 'nonce-made'", "made"},
		{"elements allowed", "script-src 'none'; script-src-elem 'self'", "script-src 'none'; script-src-elem 'self'", ""},
		{"attributes do not matter", "script-src 'self'; script-src-attr 'none'", "script-src 'self'; script-src-attr 'none'", ""},
		{"first of two counts", "script-src 'self'; script-src 'none'", "script-src 'self'; script-src 'none'", ""},
		{"first of two is extended", "script-src 'none'; script-src 'self'", "script-src 'nonce-made'; script-src 'self'", "made"},
		{"calls elsewhere", "script-src 'self'; connect-src https://api.example", "script-src 'self'; connect-src https://api.example 'self'", ""},
		{"two policies, one nonce", "script-src 'nonce-n1', script-src 'nonce-n2'", "script-src 'nonce-n1', script-src 'nonce-n2' 'nonce-n1'", "n1"},
		{"two policies, first satisfied", "script-src 'self', default-src 'nonce-n2' 'self' 'strict-dynamic'", "script-src 'self', default-src 'nonce-n2' 'self' 'strict-dynamic'", "n2"},
		{"two lines", "script-src 'strict-dynamic' 'sha256-x='\nscript-src 'nonce-n2'", "script-src 'strict-dynamic' 'sha256-x=' 'nonce-n2'\nscript-src 'nonce-n2'", "n2"},
		{"report-only alone", "RO script-src 'none'", "RO script-src 'nonce-made'", "made"},
		{"report-only has the nonce", "script-src 'self'\nRO script-src 'nonce-n3'; connect-src 'none'", "script-src 'self'\nRO script-src 'nonce-n3'; connect-src 'self'", "n3"},
		{"enforced before report-only", "script-src 'none'\nRO script-src 'nonce-n3'", "script-src 'nonce-n3'\nRO script-src 'nonce-n3'", "n3"},
		{"trusted types stay", "require-trusted-types-for 'script'; script-src 'self'", "require-trusted-types-for 'script'; script-src 'self'", ""},
		{"odd spacing", " ; ;script-src\t'none' ;connect-src  'none';", " ; ;script-src 'nonce-made';connect-src 'self';", "made"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h, want := policyHeader(row.policy), policyHeader(row.want)
			shared := h["Content-Security-Policy"]
			before := strings.Join(shared, "\n")
			nonce := permitScript(h, self, func() string { return "made" })
			if nonce != row.nonce {
				t.Errorf("nonce %q, want %q", nonce, row.nonce)
			}
			for _, key := range policyHeaders {
				if got, want := strings.Join(h[key], "\n"), strings.Join(want[key], "\n"); got != want {
					t.Errorf("%s:\n got %s\nwant %s", key, got, want)
				}
			}
			if strings.Join(shared, "\n") != before {
				t.Error("the handler's own slice was changed")
			}
			// What was extended needs nothing more for the same nonce.
			for _, key := range policyHeaders {
				for _, v := range h[key] {
					if again, changed := extendPolicies(v, nonce, self); changed {
						t.Errorf("extended twice: %s", again)
					}
				}
			}
		})
	}
}

func policyHeader(lines string) http.Header {
	h := http.Header{}
	for line := range strings.SplitSeq(lines, "\n") {
		if line == "" {
			continue
		}
		if policy, ok := strings.CutPrefix(line, "RO "); ok {
			h.Add("Content-Security-Policy-Report-Only", policy)
		} else {
			h.Add("Content-Security-Policy", line)
		}
	}
	return h
}

func TestScriptless(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]bool{
		"sandbox":                                 true,
		"default-src 'self'; SANDBOX":             true,
		"script-src 'self', sandbox allow-forms":  true,
		"sandbox allow-forms Allow-Scripts":       true, // the page has no origin
		"sandbox Allow-Same-Origin Allow-Scripts": false,
		"sandboxed allow-forms":                   false,
		"script-src 'self'":                       false,
	} {
		if got := scriptless([]string{policy}); got != want {
			t.Errorf("%s: got %v, want %v", policy, got, want)
		}
	}
}

func FuzzPermitScript(f *testing.F) {
	f.Add("default-src 'none'; script-src 'unsafe-inline' x, script-src 'nonce-a'", "sandbox;;connect-src")
	f.Add("script-src-elem 'strict-dynamic' 'sha256-a'", "default-src * 'nonce-b=='")
	self := site{scheme: "https", host: "app.example"}
	f.Fuzz(func(t *testing.T, enforced, reported string) {
		h := http.Header{"Content-Security-Policy": {enforced}, "Content-Security-Policy-Report-Only": {reported}}
		inline := map[string]bool{}
		for _, key := range policyHeaders {
			inline[key] = strings.Contains(h[key][0], "'unsafe-inline'")
		}
		nonce := permitScript(h, self, func() string { return "made" })
		if strings.ContainsAny(nonce, "\"'<> ") {
			t.Fatalf("nonce %q", nonce)
		}
		for _, key := range policyHeaders {
			for policy := range policies(h[key]) {
				list, ok := scriptSources(policy)
				if ok && scriptGrant(list, nonce, self) != granted {
					t.Fatalf("still blocked: %q with nonce %q", policy, nonce)
				}
			}
			if strings.Contains(h[key][0], "'unsafe-inline'") != inline[key] {
				t.Fatalf("unsafe-inline came or went: %q", h[key][0])
			}
		}
	})
}
