package marketplace

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config is all that a marketplace needs to sell sessions.
type Config struct {
	// Sessiongate's API, for example http://127.0.0.1:8081.
	API string
	// A key of role marketplace. It stays on the server: whoever holds it
	// can spend every user's tokens.
	Key string
	// Where browsers reach this marketplace, for example
	// http://localhost:8080. Users come back to PublicURL/session/complete.
	PublicURL string
	// What is for sale, in the order shown.
	Apps []App
	// Demo tokens that a new visitor gets, and that a top-up adds.
	// Default: 100.
	StartBalance int64
	// The colours, spaces and type that app.css is written against.
	TokensCSS string

	// Default: a client with a timeout of 10 s.
	Client *http.Client
	// Default: time.Now.
	Now func() time.Time
	// Default: silence.
	Logger *slog.Logger
}

// App is one product: an app on its provider's own domain.
type App struct {
	// The provider's id at Sessiongate, for example prov_demo.
	ProviderID string
	Name       string
	// One line, shown under the name.
	Tagline string
	// A short paragraph.
	Description string
	// Where the app is, of the same origin as its launch_url: the way back into
	// a running session, and what the pages' policy lets a purchase open.
	// Optional: without it the policy lets it open anything, and the way back
	// is remembered from the launch.
	URL string
	// The times for sale, shortest first. At least one.
	Plans []Plan
	// What users may add from inside the app. Zero: nothing.
	Extension Extension
}

// Plan is a length of time at a price.
type Plan struct {
	Seconds int64
	Tokens  int64
	// What the button says. Default: the time in words.
	Label string
}

// Extension is an offer made at the sale: this much more time for so many
// tokens, at most MaxCount times, without coming back to the marketplace.
type Extension struct {
	AdditionalSeconds int64
	Tokens            int64
	MaxCount          int64
}

// DemoApp sells the sample app: the given time, half of it and three times it,
// and one extension of half the time, taken twice at most.
func DemoApp(providerID string, seconds int64) App {
	half, long := max(seconds/2, 1), price(3*seconds)
	if long >= 20 { // a tenth off, where a tenth is something
		long -= long / 10
	}
	return App{
		ProviderID: providerID,
		Name:       "Saltmarsh",
		Tagline:    "The field notebook of a tidal marsh",
		Description: "Read what the wardens saw this week, write up your own sightings, watch the gauges " +
			"at the sluice second by second, and talk to whoever is on the hide.",
		Plans: []Plan{
			{Seconds: half, Tokens: price(half)},
			{Seconds: seconds, Tokens: price(seconds)},
			{Seconds: 3 * seconds, Tokens: long},
		},
		Extension: Extension{AdditionalSeconds: half, Tokens: price(half), MaxCount: 2},
	}
}

// price is two tokens for each started minute, so that demos of a few seconds
// still cost something.
func price(seconds int64) int64 { return max(2*((seconds+59)/60), 2) }

// check fills defaults into c and rejects what cannot work.
func (c *Config) check() error {
	for _, u := range []struct{ field, value string }{{"API", c.API}, {"PublicURL", c.PublicURL}} {
		p, err := url.Parse(u.value)
		if err != nil || p.Host == "" || p.Scheme != "http" && p.Scheme != "https" {
			return fmt.Errorf("marketplace: %s must be an http or https URL", u.field)
		}
	}
	c.API = strings.TrimRight(c.API, "/")
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	if c.Key == "" {
		return errors.New("marketplace: no API key")
	}
	if len(c.Apps) == 0 {
		return errors.New("marketplace: no apps to sell")
	}
	for _, a := range c.Apps {
		if a.ProviderID == "" || a.Name == "" || len(a.Plans) == 0 {
			return fmt.Errorf("marketplace: app %q needs a provider id, a name and a plan", a.Name)
		}
		for i, p := range a.Plans {
			if p.Seconds <= 0 || p.Tokens < 0 {
				return fmt.Errorf("marketplace: app %q sells no time in plan %d", a.Name, i+1)
			}
		}
	}
	if c.StartBalance == 0 {
		c.StartBalance = 100
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// app finds what a provider sells. An app that is no longer for sale keeps a
// name, so that old receipts stay readable.
func (c *Config) app(providerID string) App {
	for _, a := range c.Apps {
		if a.ProviderID == providerID {
			return a
		}
	}
	return App{ProviderID: providerID, Name: providerID}
}
