package e2e_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// visitorOf registers a provider with an origin, and enters its site at an edge.
func (s *Split) visitorOf(t *testing.T, edge, user, name, originURL string) *Client {
	t.Helper()
	a := Caller(s.AdminKey).Do(t, "POST", s.API+"/api/v1/providers", map[string]any{
		"id": "prov_" + name, "name": name, "domains": []string{name + ".example"}, "origin_url": originURL,
		"policies": map[string]any{"return_hosts": []string{"market.example"}},
	})
	if a.Status != http.StatusCreated {
		t.Fatalf("registering %s: %d %s", name, a.Status, a.Body)
	}
	theirs := *s.System
	theirs.ProviderID = "prov_" + name
	b := Browser(t)
	b.Client.Transport = dialing(edge)
	if a := b.Do(t, "GET", theirs.buy(t, terms{User: user, Seconds: 300, Tokens: 10}).LaunchURL, nil); a.Status != http.StatusSeeOther {
		t.Fatalf("entering %s: %d %s", name, a.Status, a.Body)
	}
	return b
}

// TestRivalsFailuresAtAnOriginHarmNobody registers a provider with the origin of another,
// which breaks off every request of it, as a server with an origin lock does. The failures
// do not count against the owner, whose visitors are served.
func TestRivalsFailuresAtAnOriginHarmNobody(t *testing.T) {
	t.Parallel()
	own := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Host, "rival.") {
			panic(http.ErrAbortHandler)
		}
		named("own").ServeHTTP(w, r)
	}))
	t.Cleanup(own.Close)
	s := StartSplit(t, own.URL)
	ports := freePorts(t)
	s.reload(t, s.byDNSAlone(s.admin, ports, "", registered))
	edge := net.JoinHostPort("127.0.0.1", fmt.Sprint(ports+1))
	user := s.newUser(t, 1000)
	a, b := s.visitorOf(t, edge, user, "own", own.URL), s.visitorOf(t, edge, user, "rival", own.URL)
	for name, forward := range map[string]string{"origin registered": registered, "dynamic session_gate": dynamic("\t\tfail_duration 1h")} {
		s.reload(t, s.byDNSAlone(s.admin, ports, "", forward))
		for range 3 {
			if got := b.Do(t, "GET", "https://rival.example/", nil); got.Status < 500 {
				t.Errorf("%s: the rival's visitor: %d", name, got.Status)
			}
			if got := a.Do(t, "GET", "https://own.example/", nil); got.Status != http.StatusOK {
				t.Errorf("%s: the owner's visitor: %d", name, got.Status)
			}
		}
	}
}

// TestDeadOriginHarmsItsProviderAlone stops the origin of one of two providers
// that share a site block, and starts it again.
func TestDeadOriginHarmsItsProviderAlone(t *testing.T) {
	t.Parallel()
	for name, forward := range map[string]string{"origin registered": registered, "dynamic session_gate": dynamic("\t\tfail_duration 1s")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deadOriginHarmsItsProviderAlone(t, forward)
		})
	}
}

func deadOriginHarmsItsProviderAlone(t *testing.T, forward string) {
	well := httptest.NewServer(named("well"))
	t.Cleanup(well.Close)
	// It comes back at its address, which nobody may take meanwhile.
	illAddress := net.JoinHostPort("127.0.0.1", strconv.Itoa(freePorts(t)))
	serveIll := func() *httptest.Server {
		ln, err := net.Listen("tcp", illAddress)
		if err != nil {
			t.Fatal(err)
		}
		server := &httptest.Server{Listener: ln, Config: &http.Server{Handler: named("ill")}}
		server.Start()
		return server
	}
	ill := serveIll()
	s := StartSplit(t, well.URL)
	ports := freePorts(t)
	s.reload(t, s.byDNSAlone(s.admin, ports, "", forward))
	edge := net.JoinHostPort("127.0.0.1", fmt.Sprint(ports+1))
	user := s.newUser(t, 1000)
	visitor := func(name, originURL string) *Client { return s.visitorOf(t, edge, user, name, originURL) }
	a, b := visitor("well", well.URL), visitor("ill", ill.URL)
	failing := func() string {
		return string(s.askAdmin(t, "GET", "/session_gate/origins", "").Body)
	}
	if got := b.Do(t, "GET", "https://ill.example/", nil); got.Status != http.StatusOK || strings.TrimSpace(failing()) != `{"failing":[]}` {
		t.Fatalf("while all is well: %d, %s", got.Status, failing())
	}

	ill.Close()
	var visits sync.WaitGroup
	for range 10 {
		visits.Go(func() {
			got := b.Do(t, "GET", "https://ill.example/", nil)
			if got.Status != http.StatusBadGateway || !bytes.Contains(got.Body, []byte("The app is not answering")) {
				t.Errorf("the dead origin's visitor: %d %.200s", got.Status, got.Body)
			}
		})
		visits.Go(func() {
			if got := a.Do(t, "GET", "https://well.example/", nil); got.Status != http.StatusOK {
				t.Errorf("the other provider's visitor: %d", got.Status)
			}
		})
	}
	visits.Wait()
	if got := failing(); !strings.Contains(got, `"provider_id":"prov_ill","failures":10`) || strings.Contains(got, "prov_well") {
		t.Errorf("the admin API lists %s", got)
	}
	metrics := string(s.askAdmin(t, "GET", "/metrics", "").Body)
	if !strings.Contains(metrics, "session_gate_origins_failing 1") {
		t.Errorf("metrics say\n%s", grep(metrics, "session_gate_origins"))
	}

	t.Cleanup(serveIll().Close)
	eventually(t, func() bool { return b.Do(t, "GET", "https://ill.example/", nil).Status == http.StatusOK },
		func() string { return "an origin that is back is asked again" })
	if got := strings.TrimSpace(failing()); got != `{"failing":[]}` {
		t.Errorf("after it is back: %s", got)
	}
}
