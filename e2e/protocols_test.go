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
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// transports reach an edge at the given port by each protocol.
func transports(t *testing.T, port int) map[string]func() http.RoundTripper {
	edge := net.JoinHostPort("127.0.0.1", fmt.Sprint(port))
	insecure := func() *tls.Config { return &tls.Config{InsecureSkipVerify: true} } // Caddy's internal CA
	tcp := func(h2 bool) http.RoundTripper {
		tr := &http.Transport{
			TLSClientConfig: insecure(), DisableCompression: true, ForceAttemptHTTP2: h2,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, edge)
			},
		}
		t.Cleanup(tr.CloseIdleConnections)
		return tr
	}
	return map[string]func() http.RoundTripper{
		"HTTP/1.1": func() http.RoundTripper { return tcp(false) },
		"HTTP/2":   func() http.RoundTripper { return tcp(true) },
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
// file_server, a feed, a poll and an upload, by HTTP/1.1, 2 and 3, with access
// log and compression on and off.
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
	s := StartSplit(t, origin(t).URL)
	ports := freePorts(t)
	site := func(name, extra string) string {
		return fmt.Sprintf(`https://%s.example {
%s	session_gate {
		provider prov_split
	}
	handle_path /files/* {
		root %s
		file_server
	}
	reverse_proxy %s
}
`, name, extra, files, s.origin)
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
`, s.admin, ports, ports+1, s.Link.URL, s.EdgeKey)+site("bare", "")+site("full", "\tlog\n\tencode\n"))

	// Certificates come a moment after the reload.
	for _, name := range []string{"bare", "full"} {
		c := &http.Client{Transport: transports(t, ports+1)["HTTP/1.1"]()}
		for tries := 0; ; tries++ {
			resp, err := c.Get("https://" + name + ".example/")
			if err == nil {
				resp.Body.Close()
				break
			}
			if tries == 200 {
				t.Fatalf("%s.example has no certificate: %v", name, err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}

	kinds := map[string]func(c *http.Client, base string) error{
		"download":    broken("/download", 256<<10),
		"file_server": broken("/files/large.bin", 256<<10),
		"feed":        broken("/sse", 1),
		"poll": func(c *http.Client, base string) error {
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
		"upload": func(c *http.Client, base string) error {
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
			if resp.StatusCode != http.StatusUnauthorized {
				return fmt.Errorf("the upload was answered %d", resp.StatusCode)
			}
			return nil
		},
	}
	for protocol, transport := range transports(t, ports+1) {
		for kind, ends := range kinds {
			for _, name := range []string{"bare", "full"} {
				t.Run(protocol+" "+kind+" "+name, func(t *testing.T) {
					t.Parallel()
					sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 4, Tokens: 10})
					base := "https://" + name + ".example"
					b := Browser(t)
					b.Transport = transport()
					if a := b.Do(t, "GET", base+"/?session="+sold.Token, nil); a.Status != http.StatusSeeOther {
						t.Fatalf("entering: %d %s", a.Status, a.Body)
					}
					client := &http.Client{Transport: b.Transport, Jar: b.Jar, Timeout: 30 * time.Second}
					if err := ends(client, base); err != nil {
						t.Error(err)
					}
					if off := time.Since(time.Unix(sold.Session.ExpiresAt, 0)); off < -200*time.Millisecond || off > time.Second {
						t.Errorf("ended %s after the deadline", off)
					}
				})
			}
		}
	}
}

// broken reads a body in steps until it breaks; one that ends well is an error.
// The steps are large: what lies in the buffers between was sent in time.
func broken(path string, step int64) func(*http.Client, string) error {
	return func(c *http.Client, base string) error {
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
