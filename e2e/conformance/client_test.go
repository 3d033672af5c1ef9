package conformance

//lint:file-ignore SA1019 net/http's own transport refuses the pseudo-header of an extended CONNECT

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"

	"github.com/sessiongate/sessiongate/e2e/harness"
)

// Protocols of clients. HTTP/1.1 goes without TLS.
const (
	http11 = "HTTP1"
	http20 = "HTTP2"
	http30 = "HTTP3"
)

var protocols = []string{http11, http20, http30}

// call is a request of a client.
type call struct {
	method  string // default: GET
	path    string // default: /; as it is to be on the wire
	header  http.Header
	body    string
	reader  io.Reader // instead of body, of unknown length
	trailer http.Header
}

// answer is what a client has received.
type received struct {
	status  int
	version string
	header  http.Header
	body    string
	trailer http.Header
	interim []interim
	failed  error // to get the answer, or to read it to its end
}

// interim is an answer with a status of 1xx.
type interim struct {
	status int
	header http.Header
}

// client speaks one protocol to an edge, with the session's cookie.
type client struct {
	e         *edge
	session   *harness.Session
	protocol  string
	transport http.RoundTripper
}

// headMax is more than any answer's head has.
const headMax = 16 << 20

func (e *edge) client(t *testing.T, protocol string) *client {
	t.Helper()
	c := &client{e: e, session: e.session, protocol: protocol}
	insecure := &tls.Config{InsecureSkipVerify: true} // the certificate is the test's own
	switch protocol {
	case http11:
		tr := &http.Transport{
			DisableCompression: true, MaxResponseHeaderBytes: headMax,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, e.http)
			},
		}
		t.Cleanup(tr.CloseIdleConnections)
		c.transport = tr
	case http20:
		tr := &http2.Transport{
			TLSClientConfig: insecure, DisableCompression: true, MaxHeaderListSize: headMax,
			DialTLSContext: func(ctx context.Context, network, _ string, config *tls.Config) (net.Conn, error) {
				return (&tls.Dialer{Config: config}).DialContext(ctx, network, e.https)
			},
		}
		t.Cleanup(tr.CloseIdleConnections)
		c.transport = tr
	case http30:
		tr := &http3.Transport{
			TLSClientConfig: insecure, DisableCompression: true, MaxResponseHeaderBytes: headMax,
			Dial: func(ctx context.Context, _ string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
				return quic.DialAddrEarly(ctx, e.https, tlsConfig, config)
			},
		}
		t.Cleanup(func() { tr.Close() })
		c.transport = tr
	}
	return c
}

// cookie is the header of a request with the session.
func (c *client) cookie() string {
	if c.protocol == http11 {
		return "session_gate=" + c.session.Cookie
	}
	return "__Host-session_gate=" + c.session.Cookie
}

func (c *client) base(host string) string {
	if c.protocol == http11 {
		return "http://" + host
	}
	return "https://" + host
}

// request makes a call a request of net/http.
func (c *client) request(ctx context.Context, host string, call call) (*http.Request, error) {
	method, path := call.method, call.path
	if method == "" {
		method = http.MethodGet
	}
	if path == "" {
		path = "/"
	}
	var body io.Reader
	switch {
	case call.reader != nil:
		if body = call.reader; !isCloser(body) {
			body = io.MultiReader(body) // whose length net/http does not know
		}
	case call.body != "":
		body = strings.NewReader(call.body)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base(host), body)
	if err != nil {
		return nil, err
	}
	scheme, _, _ := strings.Cut(c.base(host), ":")
	r.URL = &url.URL{Scheme: scheme, Host: host, Opaque: "//" + host + path}
	if !strings.HasPrefix(path, "//") && c.protocol == http11 {
		r.URL.Opaque = path
	}
	for name, values := range call.header {
		r.Header[name] = values
	}
	r.Header["Cookie"] = append(r.Header["Cookie"], c.cookie())
	r.Trailer = call.trailer
	return r, nil
}

func isCloser(r io.Reader) bool {
	_, ok := r.(io.Closer)
	return ok
}

// open makes a call, and returns when the header of the answer is there.
func (c *client) open(ctx context.Context, host string, call call) (*http.Response, []interim, error) {
	var early []interim
	ctx = onInterim(ctx, func(code int, header http.Header) { early = append(early, interim{code, header}) })
	r, err := c.request(ctx, host, call)
	if err != nil {
		return nil, nil, err
	}
	resp, err := c.transport.RoundTrip(r)
	return resp, early, err
}

// onInterim has f called with each answer of 1xx.
func onInterim(ctx context.Context, f func(code int, header http.Header)) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
		f(code, http.Header(header))
		return nil
	}})
}

// do makes a call and reads the whole answer.
func (c *client) do(t *testing.T, host string, call call) *received {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	resp, early, err := c.open(ctx, host, call)
	if err != nil {
		if ctx.Err() != nil {
			t.Errorf("no answer within %s", harness.Patience)
		}
		return &received{interim: early, failed: err}
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	_, err = io.Copy(&body, resp.Body)
	if ctx.Err() != nil {
		t.Errorf("no end of the answer within %s", harness.Patience)
	}
	if bodiless := resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified; bodiless && c.protocol == http20 && errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // x/net expects as much of a body as Content-Length says, which tells of another answer's
	}
	return &received{
		status: resp.StatusCode, version: resp.Proto, header: resp.Header, body: body.String(), trailer: resp.Trailer, interim: early, failed: err,
	}
}

// String is an answer in an error.
func (a *received) String() string {
	if a.failed != nil {
		return fmt.Sprintf("%d %v %.200q and then %v", a.status, a.header, a.body, a.failed)
	}
	return fmt.Sprintf("%d %v %.200q", a.status, a.header, a.body)
}

// want is what a client must see.
type want struct {
	status  int
	body    string
	header  map[string]string // values joined by |; "" for no such field
	trailer map[string]string
	interim []int

	// broken is set for an answer that must not look whole: 502 or 504, or one that breaks
	// off. The body, as far as it arrives, is the beginning of body.
	broken  bool
	anyBody bool // the gate has put its clock into what there is of it
	// mayBreak is set if it may break off as well.
	mayBreak bool
}

// ok is a whole answer.
func ok(body string) want { return want{status: http.StatusOK, body: body} }

// bad is an answer of the edge's own, with this status.
func bad(status int) want { return want{status: status} }

// broken is an answer of which at most the beginning is this.
func broken(body string) want { return want{broken: true, body: body} }

// check returns what is wrong about an answer.
func (w want) check(a *received) error {
	if w.broken || w.mayBreak && a.failed != nil {
		switch {
		case a.status == http.StatusBadGateway, a.status == http.StatusGatewayTimeout:
			return nil
		case a.failed == nil:
			return fmt.Errorf("the answer looks whole: %s", a)
		case !w.anyBody && !strings.HasPrefix(w.body, a.body):
			return fmt.Errorf("the answer is %s, want at most %.200q", a, w.body)
		}
		return nil
	}
	if a.failed != nil {
		return fmt.Errorf("the answer is %s", a)
	}
	var wrong []error
	if a.status != w.status || a.body != w.body {
		wrong = append(wrong, fmt.Errorf("the answer is %s, want %d %.200q", a, w.status, w.body))
	}
	for name, value := range w.header {
		got := strings.Join(a.header[name], "|")
		if name == "Content-Length" && value == "" && got == "0" && a.version == "HTTP/3.0" {
			continue // quic-go's server adds it
		}
		if got != value {
			wrong = append(wrong, fmt.Errorf("%s is %.300q, want %.300q", name, got, value))
		}
	}
	for name, value := range w.trailer {
		if got := strings.Join(a.trailer[name], "|"); got != value {
			wrong = append(wrong, fmt.Errorf("trailer %s is %q, want %q", name, got, value))
		}
	}
	var codes []int
	for _, i := range a.interim {
		if i.status != http.StatusContinue { // clients that do not wait for it ignore it
			codes = append(codes, i.status)
		}
	}
	if fmt.Sprint(codes) != fmt.Sprint(w.interim) {
		wrong = append(wrong, fmt.Errorf("interim answers are %v, want %v", codes, w.interim))
	}
	return errors.Join(wrong...)
}
