package main

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// answering is a contender whose place a handler takes: Go's own server speaks
// both protocols to the bench's clients.
func answering(t *testing.T, tagged bool, h http.HandlerFunc) *contender {
	t.Helper()
	cert, err := newCertificate(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(cert.cert, cert.key)
	if err != nil {
		t.Fatal(err)
	}
	plain, secure := httptest.NewServer(h), httptest.NewUnstartedServer(h)
	secure.EnableHTTP2 = true
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	secure.StartTLS()
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	return &contender{address: plain.Listener.Addr().String(), tlsAddress: secure.Listener.Addr().String(),
		roots: cert.roots, cookies: []string{"one", "two"}, tagged: tagged}
}

// page writes what a proxy makes of the origin's page.
func page(w http.ResponseWriter, r *http.Request, change func(string) string) {
	w.Header().Set("Content-Type", "text/html")
	text := change(string(pages[r.URL.Query().Get("size")][0]))
	if r.Header.Get("Accept-Encoding") != "gzip" {
		_, _ = w.Write([]byte(text))
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	_, _ = zw.Write([]byte(text))
	_ = zw.Close()
	_, _ = w.Write(b.Bytes())
}

func inject(text string) string {
	return strings.Replace(text, "<head>", `<head><script src="/.session-gate/boot.js"></script>`, 1)
}

func TestClientsTakeRightAnswers(t *testing.T) {
	for _, tagged := range []bool{false, true} {
		c := answering(t, tagged, func(w http.ResponseWriter, r *http.Request) {
			if cookie := r.Header.Get("Cookie"); !strings.HasPrefix(cookie, "theme=dark; session_gate=") {
				http.Error(w, "the cookie is "+cookie, http.StatusBadRequest)
				return
			}
			page(w, r, func(text string) string {
				if tagged {
					return inject(text)
				}
				return text
			})
		})
		for _, p := range []protocol{http1, https1, https2} {
			for _, cell := range cells {
				l := load{page: cell, protocol: p, conns: 2}
				list, err := c.open(t.Context(), l)
				if err != nil {
					t.Fatal(err)
				}
				n, err := list.run(times(10))
				list.close()
				if err != nil || n != 20 {
					t.Errorf("%s, tagged %t: %d answers of 20, %v", l, tagged, n, err)
				}
			}
		}
	}
}

func TestClientsRefuseWrongAnswers(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"a page without the tag": func(w http.ResponseWriter, r *http.Request) {
			page(w, r, func(text string) string { return text })
		},
		"a page that is cut short": func(w http.ResponseWriter, r *http.Request) {
			page(w, r, func(text string) string { return inject(text)[:len(text)/2] })
		},
		"a refusal": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no session", http.StatusUnauthorized)
		},
		"another coding": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			_, _ = w.Write([]byte(inject(string(pages[r.URL.Query().Get("size")][0]))))
		},
		"a connection that ends": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		c := answering(t, true, h)
		for _, p := range []protocol{http1, https1, https2} {
			for _, cell := range cells[:2] {
				l := load{page: cell, protocol: p}
				if name == "another coding" && !cell.gzip {
					continue
				}
				if err := c.check(t.Context(), l); err == nil {
					t.Errorf("%s: %s was taken", l, name)
				}
			}
		}
	}
}

func TestOriginAndItsClients(t *testing.T) {
	o, err := newOrigin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.close)
	c := &contender{address: o.address, cookies: []string{"one"}}
	for _, l := range append(pageLoads(3), load{task: postJSON, conns: 3}, load{task: echoMessage, conns: 3}) {
		list, err := c.open(t.Context(), l)
		if err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		n, err := list.run(times(5))
		list.close()
		if err != nil || n != 15 {
			t.Errorf("%s: %d answers of 15, %v", l, n, err)
		}
	}
}

// A proxy that answers pages but admits everybody, or passes the token on, is
// not compared with one that does the work.
func TestGatesAreChecked(t *testing.T) {
	for name, test := range map[string]struct {
		session string
		token   bool
		refuses bool
		good    bool
	}{
		"a gate":                       {"s1", false, true, true},
		"one that admits everybody":    {"s1", false, false, false},
		"one that says no session":     {"", false, true, false},
		"one that passes the token on": {"s1", true, true, false},
	} {
		c := answering(t, true, func(w http.ResponseWriter, r *http.Request) {
			if _, err := r.Cookie("session_gate"); err != nil && test.refuses {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = fmt.Fprintf(w, "session %s, token %t", test.session, test.token)
		})
		if err := c.checkGate(t.Context()); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGoalsAndTheirVerdicts(t *testing.T) {
	round := func(values ...float64) []figure {
		var list []figure
		for _, v := range values {
			list = append(list, figure{cpu: v, busy: 0.9})
		}
		return list
	}
	l := load{page: cells[0], conns: many}
	b := &bench{options: options{rounds: 3}, contenders: []*contender{
		{name: plainCaddy, figures: map[load][]figure{l: round(100, 200, 100)}, memory: map[protocol][]float64{http1: {100}}},
		{name: gateForwards, figures: map[load][]figure{l: round(49, 98, 60)}, memory: map[protocol][]float64{http1: {120}}},
		{name: bareProxyGo, figures: map[load][]figure{l: round(40, 80, 50)}},
	}}
	var out strings.Builder
	b.goalTable(&out)
	for _, line := range []string{
		"| 2 KB, identity | plain Caddy | 0.50 | 0.490 | met |",
		"| 2 KB, identity | Go's bare proxy | 1.15 | 1.225 | **missed** |",
		"| memory for each idle connection, HTTP/1.1 | plain Caddy | 1.10 | 1.200 | **missed** |",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("the goals lack %q:\n%s", line, out.String())
		}
	}
}

func TestWebSocketFramesAreRefusedThatAreNotTheEcho(t *testing.T) {
	client, server := net.Pipe()
	t.Cleanup(func() { client.Close(); server.Close() })
	go func() {
		buf := make([]byte, 4<<10)
		_, _ = server.Read(buf)
		_, _ = server.Write([]byte("HTTP/1.1 101 Switching Protocols\r\n\r\n"))
		_, _ = server.Read(buf)
		_, _ = server.Write(appendFrame(nil, textFrame, []byte("something else"), false))
	}()
	c, err := newEchoClient(client, "session_gate=one")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.run(times(1)()); err == nil {
		t.Errorf("%d echoes were taken", n)
	}
}
