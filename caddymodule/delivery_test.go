package caddymodule

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/protocol"
	sdkinject "github.com/sessiongate/sessiongate/sdk-inject"
)

const (
	pageHead = "<!doctype html><html><head><title>t</title></head><body>"
)

var clockTag = `<script src="/.session-gate/` + sdkinject.Boot().Name + `"></script>`

// deliver serves next behind a gate, over a real connection, to the bearer of
// the cookie that the returned request holds. Without a gate, it is next alone.
func deliver(t *testing.T, next caddyhttp.HandlerFunc, gated, exact bool, with ...func(*Gate)) (*http.Client, *http.Request) {
	t.Helper()
	handler := next
	if gated {
		g := &Gate{Provider: "p", ForwardIdentity: identityHeaders, edge: testEdge(t), maxStaleness: time.Hour, logger: zap.NewNop(),
			injector: newInjector(exact)}
		s := g.edge.Sessions.Put(state("a", 1, protocol.Active, time.Hour), edge.MonotonicMS()+1)
		g.edge.Sessions.BindToken("token", s)
		for _, f := range with {
			f(g)
		}
		g.policy = policyOf(g)
		handler = func(w http.ResponseWriter, r *http.Request) error { return g.ServeHTTP(w, r, next) }
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer())
		ctx = context.WithValue(ctx, caddyhttp.VarsCtxKey, make(map[string]any))
		if err := handler(w, r.WithContext(ctx)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	r, err := http.NewRequest("GET", server.URL+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Cookie": "session_gate=token", "Sec-Fetch-Dest": "document", "Accept-Encoding": "gzip"} {
		r.Header.Set(k, v)
	}
	client := server.Client()
	client.Timeout = 2 * time.Minute
	return client, r
}

// TestFirstByteWaitsForNothing lets an origin send the beginning of a page and
// nothing more until the client has seen the clock in it.
func TestFirstByteWaitsForNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ packed, exact bool }{
		"identity": {}, "gzip": {packed: true}, "gzip, exact": {packed: true, exact: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := make(chan struct{})
			client, r := deliver(t, func(w http.ResponseWriter, r *http.Request) error {
				w.Header().Set("Content-Type", "text/html")
				var out io.Writer = w
				flush := func() error { return http.NewResponseController(w).Flush() }
				if tt.packed {
					w.Header().Set("Content-Encoding", "gzip")
					z := gzip.NewWriter(w)
					defer z.Close()
					out, flush = z, func() error {
						if err := z.Flush(); err != nil {
							return err
						}
						return http.NewResponseController(w).Flush()
					}
				}
				if _, err := io.WriteString(out, pageHead); err != nil {
					return err
				}
				if err := flush(); err != nil {
					return err
				}
				select {
				case <-seen:
				case <-r.Context().Done():
					return r.Context().Err()
				}
				_, err := io.WriteString(out, "the rest</body></html>")
				return err
			}, true, tt.exact)
			client.Timeout = 20 * time.Second
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var page io.Reader = resp.Body
			if tt.packed {
				if page, err = gzip.NewReader(resp.Body); err != nil {
					t.Fatal(err)
				}
			}
			var got []byte
			buf := make([]byte, 4096)
			for !bytes.Contains(got, []byte(clockTag)) {
				n, err := page.Read(buf)
				if got = append(got, buf[:n]...); err != nil {
					t.Fatalf("after %q: %v", got, err)
				}
			}
			close(seen)
			rest, err := io.ReadAll(page)
			if got = append(got, rest...); err != nil || !bytes.HasSuffix(got, []byte("the rest</body></html>")) {
				t.Errorf("%q: %v", got, err)
			}
		})
	}
}

// TestStoredPageIsRevalidatedAsWhatItIs asks again with the ETag of a page with
// the clock. Chromium does so for a script's fetch of the same address, too: it
// asks with the stored copy's tag when Vary differs, and must not be told to
// use that copy.
func TestStoredPageIsRevalidatedAsWhatItIs(t *testing.T) {
	t.Parallel()
	const page = pageHead + "hello</body></html>"
	client, r := deliver(t, func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Etag", `"v1"`)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(page))
		return nil
	}, true, false)
	ask := func(dest, tag string) (*http.Response, string) {
		t.Helper()
		r.Header.Set("Sec-Fetch-Dest", dest)
		r.Header.Set("If-None-Match", tag)
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	first, body := ask("document", "")
	tag := first.Header.Get("Etag")
	if !strings.Contains(body, clockTag) || tag == `"v1"` || tag == "" {
		t.Fatalf("the page has ETag %s: %s", tag, body)
	}
	if again, _ := ask("document", tag); again.StatusCode != http.StatusNotModified || again.Header.Get("Etag") != tag {
		t.Errorf("a navigation with the stored page's tag: %d, ETag %s", again.StatusCode, again.Header.Get("Etag"))
	}
	if fetched, body := ask("empty", tag); fetched.StatusCode != http.StatusOK || body != page || fetched.Header.Get("Etag") != `"v1"` {
		t.Errorf("a fetch with the stored page's tag: %d, ETag %s: %s", fetched.StatusCode, fetched.Header.Get("Etag"), body)
	}
	if shown, body := ask("document", `"v1"`); shown.StatusCode != http.StatusOK || !strings.Contains(body, clockTag) {
		t.Errorf("a navigation with the fetched copy's tag: %d: %s", shown.StatusCode, body)
	}
}
