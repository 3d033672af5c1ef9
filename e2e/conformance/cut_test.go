package conformance

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/e2e/harness"
)

// TestCut: the end of the session ends what goes on, on both sides of the edge.
func TestCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		serve func(c *conn, r *request)
		call  func() call
		begun bool // the client has the beginning of the answer
	}{
		{"waiting for an answer", func(c *conn, r *request) { c.waitClosed() }, func() call { return call{} }, false},
		{"events", func(c *conn, r *request) {
			_ = c.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
			c.waitClosed()
		}, func() call { return call{} }, true},
		{"a download", func(c *conn, r *request) {
			_ = c.say(chunkedText + "\r\n")
			for c.say("2710\r\n"+strings.Repeat("x", 10_000)+"\r\n") == nil {
			}
		}, func() call { return call{} }, true},
		{"an upload", func(c *conn, r *request) { c.read(r) }, func() call {
			body, w := io.Pipe()
			go func() { _, _ = w.Write(make([]byte, 1000)) }()
			return call{method: "POST", reader: body}
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, e *edge, protocol string) {
				s, err := stand.Sell(user, provider)
				if err != nil {
					t.Fatal(err)
				}
				asked, over := make(chan struct{}), make(chan struct{})
				o := e.origin(t, func(c *conn, r *request) bool {
					defer close(over)
					close(asked)
					tt.serve(c, r)
					return false
				})
				if err := s.Enter(e.http, "s0.example"); err != nil {
					t.Fatal(err)
				}
				revoke := func() {
					if err := stand.Revoke(s); err != nil {
						t.Error(err)
					}
				}
				if !tt.begun {
					go func() {
						wait(t, asked, "the request at the origin")
						revoke()
					}()
				}
				c := e.client(t, protocol)
				c.session = s
				ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
				defer cancel()
				resp, _, err := c.open(ctx, o.host, tt.call())
				switch {
				case err == nil && tt.begun:
					defer resp.Body.Close()
					if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil {
						t.Error(err)
					}
					revoke()
					if _, err := io.Copy(io.Discard, resp.Body); err == nil || ctx.Err() != nil {
						t.Errorf("the body ended with %v", err)
					}
				case err == nil:
					resp.Body.Close()
					if resp.StatusCode != 401 {
						t.Errorf("the answer is %s", resp.Status)
					}
				case tt.name == "an upload" && ctx.Err() == nil: // it may break off, too
				default:
					t.Error(err)
				}
				wait(t, over, "the end of the origin's connection")
			})
		})
	}
}

// TestCutTunnels: and the tunnels.
func TestCutTunnels(t *testing.T) {
	t.Parallel()
	for _, e := range edges {
		for _, protocol := range []string{myProtocol, webSocket} {
			t.Run(e.name+"/"+protocol, func(t *testing.T) {
				t.Parallel()
				s, err := stand.Sell(user, provider)
				if err != nil {
					t.Fatal(err)
				}
				over := make(chan struct{})
				o := e.origin(t, switched(func(c *conn, r *request) {
					c.waitClosed()
					close(over)
				}))
				if err := s.Enter(e.http, "s0.example"); err != nil {
					t.Fatal(err)
				}
				tunnel := e.openUpgradeOf(t, s, o, protocol, "")
				if err := stand.Revoke(s); err != nil {
					t.Fatal(err)
				}
				got, _ := io.ReadAll(tunnel.r)
				if closes := len(got) > 3 && got[0] == 0x88 && got[2] == 4401>>8 && got[3] == 4401&0xff; closes != (protocol == webSocket) {
					t.Errorf("the client got %q", got)
				}
				wait(t, over, "the end of the origin's connection")
			})
		}
	}
}
