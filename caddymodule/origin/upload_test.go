package origin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// noticing is a recorder that tells when the head of the response comes.
type noticing struct {
	*httptest.ResponseRecorder
	head chan struct{}
}

// WriteHeader implements [http.ResponseWriter].
func (n noticing) WriteHeader(status int) {
	n.ResponseRecorder.WriteHeader(status)
	close(n.head)
}

// uploading returns a request whose body is what is written to the pipe.
func uploading() (*http.Request, *io.PipeWriter) {
	body, writer := io.Pipe()
	return httptest.NewRequest(http.MethodPost, "http://app.example/", body), writer
}

// The time limit for the head of a response does not end a response that has begun before
// the request was sent.
func TestHeadTimeoutSparesEarlyResponses(t *testing.T) {
	t.Parallel()
	const limit = 20 * time.Millisecond
	address := scripted(t, func(conn net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhead")
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * limit)
		fmt.Fprint(conn, "tail")
		_, _ = r.ReadByte()
	})
	p := patientPool(Config{Address: address, HeadTimeout: limit})
	defer p.Close()
	r, body := uploading()
	w := noticing{httptest.NewRecorder(), make(chan struct{})}
	go func() {
		<-w.head
		_, _ = io.WriteString(body, "body")
		body.Close()
	}()
	if err := p.Forward(w, &Outgoing{Request: r, Host: "x"}); err != nil || w.Body.String() != "headtail" {
		t.Errorf("%q, %v", w.Body, err)
	}
}

// A connection does not change its protocol in the middle of a request's body, which would
// continue as data of the new protocol.
func TestUpgradeWaitsForTheBody(t *testing.T) {
	t.Parallel()
	address := scripted(t, func(conn net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			t.Error(err)
			return
		}
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n")
		_, _ = io.Copy(io.Discard, r)
	})
	p := patientPool(Config{Address: address})
	defer p.Close()
	r, body := uploading()
	defer body.Close()
	r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"other"}}
	err := p.Forward(httptest.NewRecorder(), &Outgoing{Request: r, Host: "x"})
	if kindOf(err) != Malformed || !strings.Contains(err.Error(), "before the request was sent") {
		t.Error(err)
	}
}
