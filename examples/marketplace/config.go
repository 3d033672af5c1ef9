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
	// The colors, spaces and type that app.css is written against.
	TokensCSS string

	// Default: a client with a timeout of 10 s.
	Client *http.Client
	// Default: time.Now.
	Now func() time.Time
	// Default: silence.
	Logger *slog.Logger
}

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
		if p := a.Terms.Pause; p.MaxCount < 0 || p.MaxSeconds < 0 || (p.MaxCount > 0) != (p.MaxSeconds > 0) {
			return fmt.Errorf("marketplace: app %q allows pauses of %d seconds, %d times", a.Name, p.MaxSeconds, p.MaxCount)
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
