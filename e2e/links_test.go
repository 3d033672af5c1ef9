package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestLaunchLinkKeepsTheAppsAddress: what a provider registers as its app_url is where
// the browser arrives, byte by byte, by way of the session service and the edge.
func TestLaunchLinkKeepsTheAppsAddress(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(app.Close)
	s := Start(t, "--origin", app.URL)
	admin := Caller(s.AdminKey)
	for _, path := range []string{
		"/any?b=2&a=1", "/any?view=a;b&mode=x", "/any?x=a%20b", "/any?x=a+b", "/any?flag", "/any?t=10%2C5&t=3", "/any?q=caf%E9",
		"/any?path=/a/b:c", "/any?p=100%", "/any?a=1&&b", "/#/play/3", "/any?session=demo#/x?y=1", "/a%2Fb//c/%7Ex;v=1",
	} {
		a := admin.Do(t, "PATCH", s.API+"/api/v1/providers/"+s.ProviderID, map[string]any{"app_url": s.App + path})
		if a.Status != http.StatusOK {
			t.Errorf("%s is refused: %d %s", path, a.Status, a.Body)
			continue
		}
		sold := s.buy(t, terms{User: s.newUser(t, 10), Seconds: 60, Tokens: 5})
		link, fragment, _ := strings.Cut(sold.LaunchURL, "#")
		_, wantFragment, _ := strings.Cut(path, "#")
		if fragment != wantFragment {
			t.Errorf("%s: the link has the fragment %q", path, fragment)
		}
		if strings.Count(link, sold.Token) != 1 {
			t.Errorf("%s: the token is not in the query", path)
		}
		got := Browser(t).Do(t, "GET", link, nil).Header.Get("Location")
		want, _, _ := strings.Cut(path, "#")
		if got = strings.TrimPrefix(got, s.App); got != want {
			t.Errorf("%s leads to %s", path, got)
		}
	}
	for _, bad := range []string{"ftp://x/", "/path", "https://user@app.example/"} {
		if a := admin.Do(t, "PATCH", s.API+"/api/v1/providers/"+s.ProviderID, map[string]any{"app_url": bad}); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("app_url %s: %d", bad, a.Status)
		}
	}
}

// TestReturnAddressOnTheAppsOwnHost: a sale whose user would be sent back to the app is
// refused, and a session that was sold before leads to no circle.
func TestReturnAddressOnTheAppsOwnHost(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(app.Close)
	s := Start(t, "--origin", app.URL)
	admin, provider := Caller(s.AdminKey), s.API+"/api/v1/providers/"+s.ProviderID
	host := strings.TrimPrefix(s.App, "http://")
	patch := func(body map[string]any) {
		t.Helper()
		if a := admin.Do(t, "PATCH", provider, body); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	order := func(back string) *Answer {
		return Caller(s.MarketplaceKey).Do(t, "POST", s.API+"/api/v1/sessions", map[string]any{
			"user_id": s.newUser(t, 10), "provider_id": s.ProviderID, "tokens_allocated": 5, "duration_limit_seconds": 60, "return_url": back,
		})
	}
	market := strings.TrimPrefix(s.Marketplace, "http://")
	patch(map[string]any{"policies": map[string]any{"return_hosts": []string{host, market, "127.0.0.1"}}})
	for _, back := range []string{s.App + "/thanks", s.App, s.App + "/?a=1#x"} {
		if a := order(back); a.Status != http.StatusUnprocessableEntity || a.Code() != "return_url_not_allowed" || !strings.Contains(string(a.Body), "marketplace") {
			t.Errorf("return_url %s: %d %s", back, a.Status, a.Body)
		}
	}
	// Sold while the app was elsewhere.
	patch(map[string]any{"app_url": "https://app.example/"})
	a := order(s.App + "/thanks")
	if a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	var sold sale
	a.JSON(t, &sold)
	patch(map[string]any{"app_url": s.App + "/"})
	b := s.enter(t, s.App+"/?session="+sold.Token)
	if a := Caller(s.MarketplaceKey).Do(t, "POST", s.API+"/api/v1/sessions/"+sold.Session.ID+"/complete", nil); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	eventually(t, func() bool { return b.Do(t, "GET", s.App+"/", nil).Status == http.StatusSeeOther }, func() string { return "the session has ended" })
	if a := b.Do(t, "GET", b.Do(t, "GET", s.App+"/", nil).Header.Get("Location"), nil); a.Status != http.StatusUnauthorized || !strings.Contains(string(a.Body), "<h1") {
		t.Errorf("at the return address: %d to %q", a.Status, a.Header.Get("Location"))
	}
}
