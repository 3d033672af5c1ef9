package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// refusedPage is the page with which a gate refuses a navigation.
func refusedPage(t *testing.T, g *Gate, why refusal, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "https://app.example/x", nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "iframe") // which is never redirected
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	if err := g.refuse(w, r, why); err != nil {
		t.Fatal(err)
	}
	return w
}

var branded = protocol.Brand{
	AppName: "Field Notebook", ShopURL: "https://shop.example/notes", SupportURL: "https://help.example/", LogoURL: "https://cdn.example:8443/logo.png?v=1", Accent: "#ffcc00",
}

// No page is a dead end: each refusal has the app's name and a link to where a session can
// be had, or where waiting helps, a link to try again.
func TestNoPageWithoutAWayOn(t *testing.T) {
	t.Parallel()
	for _, code := range edge.RefusalCodes {
		if code == protocol.CrossSite {
			continue // for scripts alone
		}
		named := newSitedGate(t, &Gate{})
		named.decides(t, protocol.Site{Brand: &branded})
		body := refusedPage(t, named.Gate, refusal{code: code}).Body.String()
		if !strings.Contains(body, "Field Notebook") || !strings.Contains(body, `href="https://help.example/"`) || !strings.Contains(body, `src="https://cdn.example:8443/logo.png?v=1"`) {
			t.Errorf("%s: the page has no brand:\n%s", code, body)
		}
		asks := code == protocol.AnotherSession || code == protocol.SessionPaused
		if !asks && !strings.Contains(body, `href="https://shop.example/notes"`) {
			t.Errorf("%s: no link to the shop:\n%s", code, body)
		}
		// A session's own marketplace comes first.
		back := refusedPage(t, named.Gate, refusal{code: code, returnURL: "https://market.example/done", sessionID: "s"}).Body.String()
		shop := code == protocol.InMaintenance || strings.Contains(back, `href="https://shop.example/notes"`) // which sells nothing meanwhile
		if !asks && (!strings.Contains(back, `href="https://market.example/done?session_id=s"`) || !shop) {
			t.Errorf("%s: no link to the marketplace and the shop:\n%s", code, back)
		}
	}
}

// Without settings of the provider's, pages have the host, and the marketplace of a host
// that is known.
func TestPagesOfProvidersWithoutABrand(t *testing.T) {
	t.Parallel()
	l := newLookedUp(t)
	g := &Gate{edge: l.edge, OnExpired: &Answer{}}
	body := refusedPage(t, g, refusal{code: protocol.SessionMissing}).Body.String()
	if !strings.Contains(body, ">app.example<") || strings.Contains(body, "<img") {
		t.Errorf("an unknown host:\n%s", body)
	}
	if body := refusedPage(t, g, refusal{code: protocol.HostUnknown}).Body.String(); !strings.Contains(body, "Try again") {
		t.Errorf("a host without a provider:\n%s", body)
	}
}

// The colors of a page are the provider's, in a style that the page's policy allows, and
// pictures come from the logo's origin alone.
func TestPolicyOfABrandedPage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		brand      protocol.Brand
		pictures   string // the policy's source; "" for none
		hasLogo    bool
		hasAccent  bool
		hasSupport bool
	}{
		"all":                         {branded, "img-src https://cdn.example:8443;", true, true, true},
		"nothing":                     {protocol.Brand{}, "", false, false, false},
		"a logo by http":              {protocol.Brand{LogoURL: "http://cdn.example/l.png"}, "", false, false, false},
		"a logo on loopback":          {protocol.Brand{LogoURL: "http://localhost:8080/l.png"}, "img-src http://localhost:8080;", true, false, false},
		"a logo as data":              {protocol.Brand{LogoURL: "data:image/png;base64,AAAA"}, "", false, false, false},
		"a logo that ends the policy": {protocol.Brand{LogoURL: "https://cdn.example;script-src%20*/l.png"}, "", false, false, false},
		"a logo with a password":      {protocol.Brand{LogoURL: "https://a:b@cdn.example/l.png"}, "", false, false, false},
		"a logo of a wildcard":        {protocol.Brand{LogoURL: "https://*/l.png"}, "", false, false, false},
		"an accent with more":         {protocol.Brand{Accent: "#ffcc00}body{display:none"}, "", false, false, false},
		"an accent by name":           {protocol.Brand{Accent: "red"}, "", false, false, false},
		"a link that is a script":     {protocol.Brand{SupportURL: "javascript:alert(1)", ShopURL: "data:text/html,x"}, "", false, false, false},
	} {
		s := newSitedGate(t, &Gate{})
		s.decides(t, protocol.Site{Brand: &tt.brand})
		w := refusedPage(t, s.Gate, refusal{code: protocol.SessionMissing})
		policy, body := w.Header().Get("Content-Security-Policy"), w.Body.String()
		if strings.Contains(policy, "img-src") != (tt.pictures != "") || !strings.Contains(policy, tt.pictures) || strings.Contains(policy, "script-src") {
			t.Errorf("%s: the policy is %s", name, policy)
		}
		_, style, _ := strings.Cut(body, "<style>")
		style, _, _ = strings.Cut(style, "</style>")
		if _, hash, _ := strings.Cut(policyFor(style, ""), "sha256-"); !strings.Contains(policy, "sha256-"+hash[:44]) {
			t.Errorf("%s: the policy does not allow the page's style", name)
		}
		if strings.Contains(body, "<img") != tt.hasLogo || strings.Contains(style, "--sg-accent-fill:#ffcc00") != tt.hasAccent || strings.Contains(body, `class="support"`) != tt.hasSupport ||
			strings.Contains(body, "javascript:") || strings.Contains(body, "data:text") || strings.Contains(style, "display:none") {
			t.Errorf("%s:\n%s", name, body)
		}
	}
}

// Names are text: what they contain changes neither the page nor what follows them.
func TestHostileNamesAreText(t *testing.T) {
	t.Parallel()
	s := newSitedGate(t, &Gate{})
	s.decides(t, protocol.Site{Brand: &protocol.Brand{AppName: "</bdi><script>alert(1)</script>\u202eevil\u0000\x1b\n" + strings.Repeat("x", 2*protocol.MaxSiteText)}})
	body := refusedPage(t, s.Gate, refusal{code: protocol.SessionMissing}).Body.String()
	if strings.Contains(body, "<script") || strings.ContainsAny(body, "\u202e\x1b\x00") || strings.Contains(body, strings.Repeat("x", protocol.MaxSiteText)) {
		t.Errorf("the page:\n%s", body)
	}
}

// Every language has every text, and none is that of another by mistake.
func TestTextsOfBrandAndMaintenance(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, texts := range allTexts {
		title, text := texts.page(protocol.InMaintenance)
		fallback, _ := texts.page("")
		for name, s := range map[string]string{"title": title, "text": text, "buy": texts.Buy, "support": texts.Support, "expected": texts.Expected} {
			if s == "" || s == fallback || seen[s] != "" {
				t.Errorf("%s: %s is %q, as in %q", texts.lang, name, s, seen[s])
			}
			seen[s] = texts.lang
		}
		if !strings.Contains(texts.Expected, "{left}") {
			t.Errorf("%s: %q", texts.lang, texts.Expected)
		}
	}
	s := newSitedGate(t, &Gate{})
	s.decides(t, protocol.Site{Maintenance: &protocol.Maintenance{On: true}})
	if body := refusedPage(t, s.Gate, refusal{code: protocol.InMaintenance}, "Accept-Language", "ar").Body.String(); !strings.Contains(body, `dir="rtl"`) || !strings.Contains(body, "مغلق للصيانة") {
		t.Errorf("in Arabic:\n%s", body)
	}
}
