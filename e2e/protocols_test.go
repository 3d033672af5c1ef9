package e2e_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// transports reach an edge at the given port by each protocol.
func transports(t *testing.T, port int) map[string]func() http.RoundTripper {
	edge := net.JoinHostPort("127.0.0.1", fmt.Sprint(port))
	insecure := func() *tls.Config { return &tls.Config{InsecureSkipVerify: true} } // Caddy's internal CA
	return map[string]func() http.RoundTripper{
		"HTTP/1.1": func() http.RoundTripper {
			tr := &http.Transport{
				TLSClientConfig: insecure(), DisableCompression: true,
				DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, edge)
				},
			}
			t.Cleanup(tr.CloseIdleConnections)
			return tr
		},
		"HTTP/2": func() http.RoundTripper { return http2Transport(t, edge, insecure()) },
		"HTTP/3": func() http.RoundTripper {
			tr := &http3.Transport{
				TLSClientConfig: insecure(), DisableCompression: true,
				Dial: func(ctx context.Context, _ string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
					return quic.DialAddrEarly(ctx, edge, tlsConfig, config)
				},
			}
			t.Cleanup(func() { tr.Close() })
			return tr
		},
	}
}

// TestCutOffByEveryProtocol ends a download from the proxy, one from
// file_server, a feed, a poll, an upload and a WebSocket, by HTTP/1.1, 2 and 3,
// with access log and compression on and off; and moves the end of some by an
// extension, a pause and a revocation. Another user's WebSockets go on.
func TestCutOffByEveryProtocol(t *testing.T) {
	t.Parallel()
	files := t.TempDir()
	large, err := os.Create(filepath.Join(files, "large.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := large.Truncate(8 << 30); err != nil { // sparse
		t.Fatal(err)
	}
	large.Close()
	s := StartSplit(t, origin(t).URL, "GODEBUG=http2xconnect=1")
	a := Caller(s.AdminKey).Do(t, "PATCH", s.API+"/api/v1/providers/"+s.ProviderID, map[string]any{
		"policies": map[string]any{"return_hosts": []string{"market.example"}, "pause": map[string]any{"max_count": 1, "max_seconds": 60}},
	})
	if a.Status != http.StatusOK {
		t.Fatalf("allowing pauses: %d %s", a.Status, a.Body)
	}
	ports := freePorts(t)
	// One site forwards by reverse_proxy, the other one by itself.
	site := func(name, extra, option, handler string) string {
		return fmt.Sprintf(`https://%s.example {
%s	handle_path /files/* {
		session_gate {
			provider prov_split
		}
		root %s
		file_server
	}
	handle {
		session_gate {
			provider prov_split
			%s
		}
		%s
	}
}
`, name, extra, files, option, handler)
	}
	s.reload(t, fmt.Sprintf(`{
	admin %s
	default_bind 127.0.0.1
	http_port %d
	https_port %d
	local_certs
	skip_install_trust
	session_gate {
		backend %s
		edge_key %s
	}
}
`, s.admin, ports, ports+1, s.Link.URL, s.EdgeKey)+site("bare", "", "", "reverse_proxy "+s.origin)+site("full", "\tlog\n\tencode\n", "origin "+s.origin, ""))

	// Certificates come a moment after the reload.
	for _, name := range []string{"bare", "full"} {
		c := &http.Client{Transport: transports(t, ports+1)["HTTP/1.1"]()}
		var err error
		eventually(t, func() bool {
			var resp *http.Response
			if resp, err = c.Get("https://" + name + ".example/"); err == nil {
				resp.Body.Close()
			}
			return err == nil
		}, func() string { return fmt.Sprintf("%s.example has a certificate: %v", name, err) })
	}

	// Each calls opened when it is open, if that is seen at the client and not at the app.
	kinds := map[string]func(c *http.Client, base string, opened func()) error{
		"download":    broken("/download", 256<<10),
		"file_server": broken("/files/large.bin", 256<<10),
		"feed":        broken("/sse", 1),
		"poll": func(c *http.Client, base string, _ func()) error {
			resp, err := c.Get(base + "/poll")
			if err != nil {
				return fmt.Errorf("the poll got no answer: %w", err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized {
				return fmt.Errorf("the poll was answered %d", resp.StatusCode)
			}
			return nil
		},
		"upload": func(c *http.Client, base string, _ func()) error {
			r, w := io.Pipe()
			defer r.Close()
			go func() {
				for {
					if _, err := w.Write(make([]byte, 1024)); err != nil {
						return
					}
					time.Sleep(20 * time.Millisecond)
				}
			}()
			resp, err := c.Post(base+"/upload", "application/octet-stream", r)
			if err != nil {
				return nil // the stream was cut under it
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusLocked {
				return fmt.Errorf("the upload was answered %d", resp.StatusCode)
			}
			return nil
		},
	}
	kinds["WebSocket"] = func(c *http.Client, base string, opened func()) error {
		ws, err := openWebSocket(c, base)
		if err != nil {
			return err
		}
		defer ws.Close()
		opened()
		go func() { // traffic up to the end
			for ws.send([]byte(strings.Repeat("x", 3000))) == nil {
				time.Sleep(5 * time.Millisecond)
			}
		}()
		code, err := ws.untilClosed()
		if err != nil || code != 4401 {
			return fmt.Errorf("the WebSocket ended with %d, %v; want 4401", code, err)
		}
		return nil
	}
	opens := func(t *testing.T, transport http.RoundTripper, base string, sold sale) *http.Client {
		b := Browser(t)
		b.Transport = transport
		if a := b.Do(t, "GET", base+"/?session="+sold.Token, nil); a.Status != http.StatusSeeOther {
			t.Fatalf("entering: %d %s", a.Status, a.Body)
		}
		return &http.Client{Transport: b.Transport, Jar: b.Jar, Timeout: patience}
	}
	enter := func(t *testing.T, transport http.RoundTripper, base string, w terms) (*http.Client, sale) {
		sold := s.buy(t, w)
		return opens(t, transport, base, sold), sold
	}
	user := s.newUser(t, 10_000)
	for protocol, transport := range transports(t, ports+1) {
		survivor, _ := enter(t, transport(), "https://full.example", terms{User: user, Seconds: 600, Tokens: 10})
		survivor.Timeout = 0 // it would end the WebSocket, too
		survives, err := openWebSocket(survivor, "https://full.example")
		if err != nil {
			t.Fatalf("%s: another user's WebSocket: %v", protocol, err)
		}
		// As apps do: a connection on which nothing is said may be closed for that,
		// of QUIC after 30 s.
		over, said := make(chan struct{}), make(chan error, 1)
		go func() {
			tick := time.NewTicker(5 * time.Second)
			defer tick.Stop()
			for {
				select {
				case <-over:
					said <- survives.echo("still here")
					return
				case <-tick.C:
				}
				if err := survives.echo("here"); err != nil {
					said <- err
					return
				}
			}
		}()
		t.Cleanup(func() { // after every case
			defer time.AfterFunc(patience, survives.Close).Stop()
			defer survives.Close()
			close(over)
			if err := <-said; err != nil {
				t.Errorf("%s: another user's WebSocket: %v", protocol, err)
			}
		})
		for kind, ends := range kinds {
			for _, name := range []string{"bare", "full"} {
				for _, how := range []string{"deadline", "extension", "pause", "revocation"} {
					if how != "deadline" && (name == "bare" || kind != "feed" && kind != "WebSocket" && kind != "upload") {
						continue // what moves a deadline knows nothing of what is open
					}
					t.Run(protocol+" "+kind+" "+name+" "+how, func(t *testing.T) {
						t.Parallel()
						base := "https://" + name + ".example"
						seconds := int64(300)
						if how == "deadline" || how == "extension" {
							seconds = s.few(t, 6, func(sold sale) {
								resp, err := opens(t, transport(), base, sold).Get(base + "/")
								if err != nil {
									t.Fatal(err)
								}
								resp.Body.Close()
							})
						}
						client, sold := enter(t, transport(), base, terms{User: user, Seconds: seconds, Tokens: 10, Clock: "launch",
							Extension: map[string]any{"additional_seconds": 1, "tokens": 1, "max_count": 1}})
						var asked, answered time.Time
						do := map[string]func(){
							"deadline":   func() {},
							"extension":  func() { post(t, client, base+"/.session-gate/extend") },
							"pause":      func() { asked, answered = post(t, client, base+"/.session-gate/pause") },
							"revocation": func() { asked, answered = s.revoke(t, sold.Session.ID) },
						}[how]
						it := openRequests.of(sold.Session.ID)
						var did sync.WaitGroup
						did.Go(func() { <-it.came; do() })
						if err := ends(client, base, it.tell); err != nil {
							t.Error(err)
						}
						ended := time.Now()
						it.tell() // a case that failed
						did.Wait()
						if how == "deadline" || how == "extension" {
							asked = s.deadlineOf(t, sold.Session.ID)
							answered = asked
						}
						onTime(t, asked, answered, ended)
					})
				}
			}
		}
	}
}

// post sends a write of a page's to the gate, and returns when it was sent and
// when it was answered.
func post(t *testing.T, c *http.Client, url string) (asked, answered time.Time) {
	asked = time.Now()
	req, err := http.NewRequest("POST", url, strings.NewReader("{}"))
	if err != nil {
		t.Error(err)
		return asked, asked
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	answered = time.Now()
	if err != nil {
		t.Error(err)
		return asked, answered
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("POST %s: %d", req.URL.Path, resp.StatusCode)
	}
	return asked, answered
}

// broken reads a body in steps until it breaks; one that ends well is an error.
// The steps are large: what lies in the buffers between was sent in time.
func broken(path string, step int64) func(*http.Client, string, func()) error {
	return func(c *http.Client, base string, opened func()) error {
		resp, err := c.Get(base + path)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("answered %d", resp.StatusCode)
		}
		var n int64
		for {
			m, err := io.CopyN(io.Discard, resp.Body, step)
			n += m
			if n > 0 {
				opened()
			}
			if err == io.EOF {
				return fmt.Errorf("the body ended as if it were complete, after %d bytes", n)
			}
			if err != nil {
				return nil
			}
			if step > 1 {
				time.Sleep(5 * time.Millisecond) // a client on a line of its own
			}
		}
	}
}
