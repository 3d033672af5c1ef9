package marketplace_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/sessiongate/sessiongate/examples/marketplace"
)

func TestNewRejectsWhatCannotWork(t *testing.T) {
	t.Parallel()
	good := func() marketplace.Config {
		return marketplace.Config{
			API: "http://127.0.0.1:8081", Key: "k", PublicURL: "http://localhost:8080",
			Apps: []marketplace.App{marketplace.DemoApp("prov_demo", 600)},
		}
	}
	if _, err := marketplace.New(good()); err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(*marketplace.Config){
		"no API":          func(c *marketplace.Config) { c.API = "" },
		"API no URL":      func(c *marketplace.Config) { c.API = "127.0.0.1:8081" },
		"public no URL":   func(c *marketplace.Config) { c.PublicURL = "localhost" },
		"no key":          func(c *marketplace.Config) { c.Key = "" },
		"no apps":         func(c *marketplace.Config) { c.Apps = nil },
		"app nameless":    func(c *marketplace.Config) { c.Apps[0].Name = "" },
		"app of nobody":   func(c *marketplace.Config) { c.Apps[0].ProviderID = "" },
		"app not sold":    func(c *marketplace.Config) { c.Apps[0].Plans = nil },
		"plan of no time": func(c *marketplace.Config) { c.Apps[0].Plans[1].Seconds = 0 },
		"endless pauses":  func(c *marketplace.Config) { c.Apps[0].Terms.Pause.MaxCount = 1 },
		"plan that pays":  func(c *marketplace.Config) { c.Apps[0].Plans[0].Tokens = -1 },
	}
	for name, spoil := range tests {
		c := good()
		spoil(&c)
		if _, err := marketplace.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestDemoAppsAreSellableAtAnyLength(t *testing.T) {
	t.Parallel()
	for _, app := range demoAppsOfManyLengths() {
		seconds := app.Plans[0].Seconds
		if len(app.Picture) == 0 {
			t.Errorf("%s has no picture", app.Name)
		}
		last, cost := int64(0), int64(1)
		for _, p := range app.Plans {
			if p.Seconds < last || p.Tokens < cost {
				t.Errorf("%d s: plan %+v after %d s for %d", seconds, p, last, cost)
			}
			last, cost = p.Seconds, p.Tokens
		}
		if app.Extension.AdditionalSeconds < 1 || app.Extension.MaxCount < 1 {
			t.Errorf("%d s: extension %+v", seconds, app.Extension)
		}
	}
}

func demoAppsOfManyLengths() (list []marketplace.App) {
	for _, seconds := range []int64{1, 2, 8, 59, 60, 600, 86400} {
		list = append(list, marketplace.DemoApp("prov_a", seconds), marketplace.RosetteApp("prov_b", seconds), marketplace.QuadrilleApp("prov_c", seconds))
	}
	return list
}

func ExampleNew() {
	app := marketplace.DemoApp("prov_demo", 600)
	app.URL = "https://app.provider.example/"
	market, err := marketplace.New(marketplace.Config{
		API:       "http://127.0.0.1:8081",
		Key:       "sg_mkt_…", // from sessiongate apikey create --role marketplace
		PublicURL: "https://market.example",
		Apps:      []marketplace.App{app},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := http.Server{Addr: "127.0.0.1:8080", Handler: market}
	fmt.Println(server.Addr, app.Plans[1].Tokens, "tokens for", app.Plans[1].Seconds, "seconds")
	// Output: 127.0.0.1:8080 20 tokens for 600 seconds
}
