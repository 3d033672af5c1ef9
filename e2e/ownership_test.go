package e2e_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/backend/resolver/resolvertest"
)

// TestAProviderWithADNSPanelIsLive walks the way of a provider that has its own key and
// a DNS panel: it names its domain, sets the one record that it is shown, and has a
// visitor. Before the record, and for a rival that claims the same domain, there is no
// certificate, no sale and no page.
func TestAProviderWithADNSPanelIsLive(t *testing.T) {
	t.Parallel()
	panel, err := resolvertest.Start(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(panel.Stop)
	panel.Set("edge.market.example", "A", "127.0.0.1")
	panel.Set("*.edge.market.example", "A", "127.0.0.1")
	app := httptest.NewServer(named("acme"))
	t.Cleanup(app.Close)
	s := StartSplit(t, app.URL, "SESSIONGATE_DNS_RESOLVER="+panel.Addr, "SESSIONGATE_EDGE_HOST=edge.market.example")
	ports := freePorts(t)
	s.reload(t, s.byDNSAlone(s.admin, ports, "", registered))
	edge := net.JoinHostPort("127.0.0.1", fmt.Sprint(ports+1))
	const domain = "app.acme.example"

	provider := func(id string) (call func(method, path string, body any) *Answer, key string) {
		t.Helper()
		a := Caller(s.AdminKey).Do(t, "POST", s.API+"/api/v1/providers", map[string]any{
			"id": id, "name": id, "origin_url": app.URL, "policies": map[string]any{"return_hosts": []string{"market.example"}},
		})
		if a.Status != http.StatusCreated {
			t.Fatalf("registering %s: %d %s", id, a.Status, a.Body)
		}
		out, err := s.command(t, "apikey", "create", "--role", "provider", "--provider", id).Output()
		if err != nil {
			t.Fatal(err)
		}
		key = strings.TrimSpace(string(out))
		return func(method, path string, body any) *Answer {
			t.Helper()
			return Caller(key).Do(t, method, s.API+"/api/v1/providers/"+id+path, body)
		}, key
	}
	acme, acmeKey := provider("prov_acme")
	rival, _ := provider("prov_rival")
	handshake := func() error {
		conn, err := tls.Dial("tcp", edge, &tls.Config{ServerName: domain, InsecureSkipVerify: true}) // Caddy's internal CA
		if err == nil {
			conn.Close()
		}
		return err
	}
	user := s.newUser(t, 100)
	sell := func(id string) *Answer {
		return Caller(s.MarketplaceKey).Do(t, "POST", s.API+"/api/v1/sessions", map[string]any{
			"user_id": user, "provider_id": id, "tokens_allocated": 1, "duration_limit_seconds": 300, "return_url": "https://market.example/done",
		})
	}
	states := func(a *Answer) (state, found string, records []struct{ Type, Name, Value string }) {
		t.Helper()
		var body struct {
			Domains []struct {
				State, Found string
				Records      []struct{ Type, Name, Value string }
			}
		}
		a.JSON(t, &body)
		if a.Status != http.StatusOK || len(body.Domains) != 1 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		return body.Domains[0].State, body.Domains[0].Found, body.Domains[0].Records
	}

	for _, call := range []func(string, string, any) *Answer{rival, acme} {
		if a := call("PATCH", "", map[string]any{"domains": []string{"https://App.Acme.example/start"}}); a.Status != http.StatusOK {
			t.Fatalf("naming the domain: %d %s", a.Status, a.Body)
		}
	}
	if handshake() == nil {
		t.Error("a domain that nobody proved got a certificate")
	}
	if a := sell("prov_acme"); a.Status != http.StatusConflict || a.Code() != "domain_not_proven" {
		t.Errorf("a sale before the proof: %d %s", a.Status, a.Body)
	}

	state, _, records := states(acme("GET", "/dns", nil))
	if state != "pending" || len(records) != 1 || records[0].Type != "CNAME" || records[0].Name != domain {
		t.Fatalf("the provider is shown %s, %+v", state, records)
	}
	panel.Set(records[0].Name, records[0].Type, records[0].Value)
	if state, found, _ := states(acme("POST", "/dns/checks", nil)); state != "proven" {
		t.Fatalf("after the record: %s, %s", state, found)
	}
	// The edge remembers for ten seconds that nobody had the domain.
	eventually(t, func() bool { return handshake() == nil }, func() string { return "a proven domain gets a certificate\n" + s.Log.String() })

	sold := sell("prov_acme")
	var sale struct {
		LaunchURL string `json:"launch_url"`
	}
	sold.JSON(t, &sale)
	if sold.Status != http.StatusCreated || !strings.HasPrefix(sale.LaunchURL, "https://"+domain+"/?session=") {
		t.Fatalf("the sale: %d", sold.Status)
	}
	visitor := Browser(t)
	if visitor.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	visitor.Client.Transport = dialing(edge)
	if a := visitor.Do(t, "GET", sale.LaunchURL, nil); a.Status != http.StatusSeeOther {
		t.Fatalf("entering: %d %s", a.Status, a.Body)
	}
	if a := visitor.Do(t, "GET", "https://"+domain+"/", nil); a.Status != http.StatusOK || !bytes.Contains(a.Body, []byte("for prov_acme")) {
		t.Errorf("the page: %d %s", a.Status, a.Body)
	}
	// The rival's claim waits, and sells nothing.
	if state, _, _ := states(rival("POST", "/dns/checks", nil)); state != "pending" {
		t.Errorf("the rival's claim is %s", state)
	}
	if a := sell("prov_rival"); a.Code() != "domain_not_proven" {
		t.Errorf("the rival sells: %d %s", a.Status, a.Body)
	}

	// The same on the command line.
	list, err := s.command(t, "domains", "list", "prov_acme").Output()
	if err != nil || !bytes.Contains(list, []byte("proven")) || !bytes.Contains(list, []byte("CNAME "+records[0].Value)) {
		t.Errorf("domains list: %v\n%s", err, list)
	}
	for key, want := range map[string]string{acmeKey: "a DNS record proves that " + domain, s.AdminKey: ""} {
		cmd := s.command(t, "doctor", "https://"+domain+"/", "--edge", edge, "--api", s.API)
		cmd.Env = append(cmd.Env, "SESSIONGATE_API_KEY="+key)
		said, _ := cmd.Output() // it fails: the certificate is Caddy's own
		if want != "" && !bytes.Contains(said, []byte(want)) || want == "" && len(said) > 0 {
			t.Errorf("the doctor says\n%s", said)
		}
	}
	if err := s.command(t, "domains", "vouch", "prov_rival", domain).Run(); err == nil {
		t.Error("two providers hold a domain")
	}
	for _, step := range [][2]string{{"vouch", "vouched"}, {"unvouch", "pending"}} {
		if a := rival("PATCH", "", map[string]any{"domains": []string{"other.acme.example"}}); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		out, err := s.command(t, "domains", step[0], "prov_rival", "other.acme.example").Output()
		if err != nil || !bytes.Contains(out, []byte("is "+step[1])) {
			t.Errorf("domains %s: %v %s", step[0], err, out)
		}
	}
}
