package origin

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// corked is a connection that holds what is written to it until send.
type corked struct {
	net.Conn
	held    bool
	written bytes.Buffer
}

// Write implements [net.Conn].
func (c *corked) Write(p []byte) (int, error) {
	if !c.held {
		return c.Conn.Write(p)
	}
	return c.written.Write(p)
}

func (c *corked) send() {
	_, _ = c.Conn.Write(c.written.Bytes())
	c.written.Reset()
}

// What follows a response in a TLS record of its own is never a response to the next
// request, also if it arrives together with the response.
func TestUnaskedRecordsAreDropped(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(nil) // for its certificate
	server.StartTLS()
	t.Cleanup(server.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, extra := range map[string]string{"nothing": "", "response": okResponse[:len(okResponse)-2] + "no", "half a response": "HTTP/1.1 "} {
			address := scripted(t, func(raw net.Conn, _ *bufio.Reader) {
				below := &corked{Conn: raw}
				conn := tls.Server(below, &tls.Config{Certificates: server.TLS.Certificates, MinVersion: version, MaxVersion: version, SessionTicketsDisabled: true})
				if conn.Handshake() != nil {
					return
				}
				below.held = true
				r := bufio.NewReader(conn)
				for {
					if _, err := http.ReadRequest(r); err != nil {
						return
					}
					fmt.Fprint(conn, okResponse)
					if extra != "" {
						fmt.Fprint(conn, extra)
					}
					below.send()
				}
			})
			p := patientPool(Config{Address: address, TLS: &tls.Config{RootCAs: trusted, ServerName: "example.com"}})
			for i := range 5 {
				if w, err := forward(p, get()); err != nil || w.Body.String() != "ok" {
					t.Errorf("TLS %x, %s, request %d: %q, %v", version, name, i, w.Body, err)
				}
			}
			if dials := p.Stats().Dials; (dials == 1) != (extra == "") {
				t.Errorf("TLS %x, %s: dialed %d times", version, name, dials)
			}
			p.Close()
		}
	}
}
