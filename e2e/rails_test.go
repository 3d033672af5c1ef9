package e2e_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// startRails serves e2e/recipes/rails with the configuration, the controllers
// and the connection of docs/recipes/rails.md.
func startRails(t *testing.T, doc map[string]string, more string, bind func(address string) string) (port string, log *Log) {
	t.Helper()
	dir := project(t, "rails")
	put(t, dir, "config/environments/production.rb", "Rails.application.configure do\n"+the(t, doc, "config/environments/production.rb")+more+"end\n")
	for _, file := range []string{"app/controllers/application_controller.rb", "app/controllers/feed_controller.rb", "app/channels/application_cable/connection.rb"} {
		put(t, dir, file, the(t, doc, file))
	}
	port = strconv.Itoa(freePorts(t))
	address := net.JoinHostPort("127.0.0.1", port)
	// Debian's Ruby, whose gems these are.
	log = background(t, dir, []string{"PATH=/usr/bin:/bin", "RAILS_ENV=production", "SECRET_KEY_BASE=" + strings.Repeat("only-for-a-test-", 4)},
		"/usr/bin/puma", "--environment", "production", "--bind", bind(address), "config.ru")
	listens(t, address, log)
	return port, log
}

// TestRailsRecipe runs docs/recipes/rails.md: its Caddyfile, its configuration,
// its controllers and its connection, under Puma.
func TestRailsRecipe(t *testing.T) {
	t.Parallel()
	doc := recipe(t, "rails")
	t.Run("beside the edge", func(t *testing.T) {
		t.Parallel()
		port, log := startRails(t, doc, "", func(address string) string { return "tcp://" + address })
		f := startFramework(t, the(t, doc, "caddyfile"), "http://127.0.0.1:3000", "http://127.0.0.1:"+port, log)
		t.Run("uses", func(t *testing.T) { t.Parallel(); f.uses(t) })
		t.Run("stream", func(t *testing.T) { t.Parallel(); f.streamEnds(t) })
		t.Run("cable", func(t *testing.T) { t.Parallel(); f.cableEnds(t) })
	})
	t.Run("by https under another name", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		certificate(t, dir)
		more := strings.Replace(the(t, doc, "config/environments/production.rb, under another name"), "origin.provider.com", "localhost", 1)
		port, log := startRails(t, doc, more, func(address string) string {
			return "ssl://" + address + "?key=" + dir + "/origin.key&cert=" + dir + "/origin.crt"
		})
		f := startFramework(t, underAnotherName(the(t, doc, "caddyfile"), dir), "http://127.0.0.1:3000", "https://localhost:"+port, log)
		f.uses(t)
		b := f.visitor(t)
		f.opens(t, b, 300)
		if a := b.Do(t, "GET", f.App+"/where", nil); string(a.Body) != f.App+"/where" {
			t.Errorf("the app believes itself at %s", a.Body)
		}
	})
}

// cableEnds speaks Action Cable until the session's deadline.
func (f *Framework) cableEnds(t *testing.T) {
	b := f.visitor(t)
	user, sold := f.opens(t, b, f.fewSeconds(t))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	upgrade := &http.Client{Jar: b.Jar, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: f.roots}, DialContext: b.Transport.(*http.Transport).DialContext,
	}}
	dial := func(origin string) (*websocket.Conn, *http.Response, error) {
		return websocket.Dial(ctx, strings.Replace(f.App, "https", "wss", 1)+"/cable", &websocket.DialOptions{
			HTTPClient: upgrade, HTTPHeader: http.Header{"Origin": {origin}, "Session_Gate_User": {"root"}}, Subprotocols: []string{"actioncable-v1-json"},
		})
	}
	if _, resp, err := dial("https://evil.example"); err == nil || resp == nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("a stranger's page opened a cable: %v", err)
	}
	c, _, err := dial(f.App)
	if err != nil {
		t.Fatalf("opening a cable: %v\n%s", err, f.log)
	}
	defer c.CloseNow()
	// As Action Cable's own client does: it subscribes once it was welcomed. What
	// arrives earlier, a busy server may lose.
	if _, message, err := c.Read(ctx); err != nil || !strings.Contains(string(message), `"welcome"`) {
		t.Fatalf("instead of a welcome came %q, %v\n%s", message, err, f.log)
	}
	if err := c.Write(ctx, websocket.MessageText, []byte(`{"command":"subscribe","identifier":"{\"channel\":\"WhoamiChannel\"}"}`)); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for err == nil {
		var message []byte
		if _, message, err = c.Read(ctx); err == nil {
			said.Write(message)
		}
	}
	ended := time.Now()
	if !strings.Contains(said.String(), `"message":{"user":"`+user+`"}`) {
		t.Errorf("over the cable came %s\n%s", said.String(), f.log)
	}
	if got := websocket.CloseStatus(err); got != 4401 {
		t.Errorf("the cable closed with %d, %v\n%s", got, err, f.log)
	}
	due := f.deadlineOf(t, sold.Session.ID)
	onTime(t, due, due, ended)
	if _, resp, err := dial(f.App); err == nil || resp == nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the end a cable was answered with %v", err)
	}
}
