package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/internal/doctor"
)

const (
	apiKeyVariable = variable + "API_KEY"
	apiTimeout     = 40 * time.Second // a check of DNS takes up to 30 s
	maxAPIAnswer   = 1 << 20
)

// sessionService is the API of a session service, as a provider calls it.
type sessionService struct {
	url    string
	key    string
	client *http.Client
}

// newSessionService returns the service at address, called with the key in the
// environment.
func newSessionService(address string) (*sessionService, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return nil, errors.New("--api must be the URL of the session service, such as https://api.example.com")
	}
	key := os.Getenv(apiKeyVariable)
	if key == "" {
		return nil, errors.New("--api needs a provider's key in " + apiKeyVariable)
	}
	// The key goes to the named service alone.
	client := &http.Client{Timeout: apiTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &sessionService{url: strings.TrimSuffix(address, "/"), key: key, client: client}, nil
}

// ownership asks the service to look for the DNS record of a host now, and returns what
// it says.
func (s *sessionService) ownership(ctx context.Context, host string) (*doctor.Ownership, error) {
	var me struct {
		ProviderID string `json:"provider_id"`
	}
	if err := s.call(ctx, http.MethodGet, "/api/v1/me", nil, &me); err != nil {
		return nil, err
	}
	if me.ProviderID == "" {
		return nil, errors.New("the key in " + apiKeyVariable + " is no provider's")
	}
	var dns struct {
		Domains []struct {
			Domain, State, Found string
			Records              []struct{ Type, Name, Value string }
		}
	}
	path := "/api/v1/providers/" + url.PathEscape(me.ProviderID) + "/dns/checks"
	if err := s.call(ctx, http.MethodPost, path, map[string]string{"domain": host}, &dns); err != nil {
		return nil, err
	}
	for _, d := range dns.Domains {
		if d.Domain != strings.ToLower(host) {
			continue
		}
		o := &doctor.Ownership{State: d.State, Found: d.Found, Usable: d.State == "proven" || d.State == "vouched" || d.State == "local"}
		var set []string
		for _, r := range d.Records {
			set = append(set, r.Type+" "+r.Name+" to "+r.Value)
		}
		if len(set) > 0 {
			o.Remedy = "Set " + strings.Join(set, ", and ") + "."
		}
		return o, nil
	}
	return nil, fmt.Errorf("the service does not list %s; pass the host as it lists it", host)
}

// call sends a request. Its errors hold the service's own words and no key.
func (s *sessionService) call(ctx context.Context, method, path string, body, into any) error {
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, payload)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("asking the session service: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAPIAnswer))
	if err != nil {
		return fmt.Errorf("asking the session service: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var problem struct{ Detail string }
		_ = json.Unmarshal(answer, &problem) // not every answer is a problem
		return fmt.Errorf("the session service answers %d. %s", resp.StatusCode, problem.Detail)
	}
	return json.Unmarshal(answer, into)
}
