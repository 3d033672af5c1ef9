package e2e_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// demoApp is an app of the demo as --json names it.
type demoApp struct {
	ProviderID  string `json:"provider_id"`
	Name        string `json:"name"`
	App         string `json:"app"`
	Origin      string `json:"origin"`
	ProviderKey string `json:"provider_key"`
}

// atLoopback is a browser that takes every host for this machine, as browsers
// take those below .localhost.
func atLoopback(t *testing.T) *Client {
	t.Helper()
	c := Browser(t)
	transport := c.Transport.(*http.Transport)
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}
	return c
}

// sellAt sells ten minutes in an app.
func (s *System) sellAt(t *testing.T, app demoApp) sale {
	t.Helper()
	a := Caller(s.MarketplaceKey).Do(t, "POST", s.API+"/api/v1/sessions", map[string]any{
		"user_id": s.newUser(t, 50), "provider_id": app.ProviderID, "tokens_allocated": 10,
		"duration_limit_seconds": 600, "return_url": s.Marketplace + "/session/complete",
	})
	if a.Status != http.StatusCreated {
		t.Fatalf("selling %s: %d %s", app.Name, a.Status, a.Body)
	}
	var sold sale
	a.JSON(t, &sold)
	return sold
}

// TestDemoSessionOfOneAppOpensNoOther tries the session of each of the demo's
// apps, as cookie and as launch link, at each of the others: they share an edge
// and a port.
func TestDemoSessionOfOneAppOpensNoOther(t *testing.T) {
	t.Parallel()
	s := Start(t)
	if len(s.Apps) != 3 || s.Apps[0].App != s.App || s.Apps[0].ProviderKey != s.ProviderKey {
		t.Fatalf("the demo names the apps %+v", s.Apps)
	}
	for i, app := range s.Apps {
		c := atLoopback(t)
		if a := c.Do(t, "GET", s.sellAt(t, app).LaunchURL, nil); a.Status != http.StatusSeeOther {
			t.Fatalf("entering %s: %d %s", app.Name, a.Status, a.Body)
		}
		if a := c.Do(t, "GET", app.App+"/", nil); a.Status != http.StatusOK || !strings.Contains(string(a.Body), app.Name) {
			t.Fatalf("%s with its session: %d", app.Name, a.Status)
		}
		own, err := url.Parse(app.App)
		if err != nil {
			t.Fatal(err)
		}
		cookies := c.Jar.Cookies(own)
		if len(cookies) != 2 { // the session's own, and the one for what other sites start
			t.Fatalf("%s set %d cookies", app.Name, len(cookies))
		}
		spare := s.sellAt(t, app)
		for j, other := range s.Apps {
			if i == j {
				continue
			}
			// The jar keeps the cookie from another host; a thief would not.
			if a := c.Do(t, "GET", other.App+"/", nil); a.Status != http.StatusUnauthorized {
				t.Errorf("the browser of %s at %s: %d", app.Name, other.Name, a.Status)
			}
			for _, cookie := range cookies {
				for _, site := range []string{"same-origin", "cross-site"} {
					if a := atLoopback(t).Do(t, "GET", other.App+"/", nil, "Cookie", cookie.String(), "Sec-Fetch-Site", site); a.Status == http.StatusOK || strings.Contains(string(a.Body), other.Name) {
						t.Errorf("the cookie %s of %s at %s: %d", cookie.Name, app.Name, other.Name, a.Status)
					}
				}
			}
			link := strings.Replace(spare.LaunchURL, app.App, other.App, 1)
			thief := atLoopback(t)
			if a := thief.Do(t, "GET", link, nil); a.Status == http.StatusSeeOther || len(thief.Jar.Cookies(mustParse(t, other.App))) > 0 {
				t.Errorf("the launch link of %s at %s: %d", app.Name, other.Name, a.Status)
			}
		}
		// The link was not spent by that.
		if a := atLoopback(t).Do(t, "GET", spare.LaunchURL, nil); a.Status != http.StatusSeeOther {
			t.Errorf("%s after its link was tried elsewhere: %d %s", app.Name, a.Status, a.Body)
		}
	}
}

// TestDemoProvidersSeeTheirOwn keeps each provider's key to its own sessions,
// and each app's policies to what the shop promises.
func TestDemoProvidersSeeTheirOwn(t *testing.T) {
	t.Parallel()
	s := Start(t, "--duration", "20m")
	want := map[string]string{
		"prov_demo":      `{"full":true}`,
		"prov_rosette":   `{"prorated":true}`,
		"prov_quadrille": `{"prorated":true,"pause":{"max_count":2,"max_seconds":3600}}`,
	}
	for i, app := range s.Apps {
		for j, other := range s.Apps {
			a := Caller(app.ProviderKey).Do(t, "GET", s.API+"/api/v1/providers/"+other.ProviderID, nil)
			if (i == j) != (a.Status == http.StatusOK) {
				t.Errorf("%s reads the provider of %s: %d", app.Name, other.Name, a.Status)
			}
			if i != j {
				continue
			}
			var provider struct {
				Policies struct {
					Settlement string          `json:"settlement"`
					Pause      json.RawMessage `json:"pause"`
				} `json:"policies"`
			}
			a.JSON(t, &provider)
			got := `{"` + provider.Policies.Settlement + `":true`
			if len(provider.Policies.Pause) > 0 {
				got += `,"pause":` + string(provider.Policies.Pause)
			}
			if got += "}"; got != want[app.ProviderID] {
				t.Errorf("%s settles and pauses by %s, want %s", app.Name, got, want[app.ProviderID])
			}
		}
	}
}

// TestDemoWithAnAppOfOnesOwn sells that alone.
func TestDemoWithAnAppOfOnesOwn(t *testing.T) {
	t.Parallel()
	s := Start(t, "--origin", "http://127.0.0.1:1")
	if len(s.Apps) != 1 || s.Apps[0].Name != "127.0.0.1:1" || s.Apps[0].App != s.App {
		t.Errorf("the demo names the apps %+v", s.Apps)
	}
	home := string(Browser(t).Do(t, "GET", s.Marketplace+"/", nil).Body)
	if strings.Count(home, `data-testid="app"`) != 1 || !strings.Contains(home, "127.0.0.1:1") {
		t.Error("the shop does not sell the user's app alone")
	}
}

func mustParse(t *testing.T, link string) *url.URL {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
