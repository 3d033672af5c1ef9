package e2e_test

//lint:file-ignore SA1019 net/http's own transport refuses the pseudo-header of an extended CONNECT

import (
	"bufio"
	"context"
	"crypto/tls"
	wire "encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
)

// webSocket is a client that speaks WebSocket over whatever its transport has:
// an upgraded connection of HTTP/1.1, or a stream of HTTP/2 or 3 by extended
// CONNECT, which no library of ours knows.
type webSocket struct {
	r       *bufio.Reader
	w       io.Writer
	close   func()
	writing sync.Mutex
}

// http2Transport speaks HTTP/2 to address, whatever the name.
func http2Transport(t *testing.T, address string, config *tls.Config) http.RoundTripper {
	t.Helper()
	tr := &http2.Transport{
		TLSClientConfig: config, DisableCompression: true,
		DialTLSContext: func(ctx context.Context, network, _ string, config *tls.Config) (net.Conn, error) {
			return (&tls.Dialer{Config: config}).DialContext(ctx, network, address)
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func openWebSocket(c *http.Client, base string) (*webSocket, error) {
	body, w := io.Pipe()
	req, err := http.NewRequest("CONNECT", base+"/ws", body)
	if err != nil {
		return nil, err
	}
	want := http.StatusOK
	switch c.Transport.(type) {
	case *http3.Transport:
		req.Proto = "websocket"
	case *http2.Transport:
		req.Header[":protocol"] = []string{"websocket"}
	default:
		req.Method, req.Body, want = "GET", http.NoBody, http.StatusSwitchingProtocols
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "websocket")
		req.Header.Set("Sec-WebSocket-Key", "c2Vzc2lvbmdhdGUtZTJlIQ==")
	}
	req.Header.Set("Sec-WebSocket-Version", "13")
	resp, err := c.Do(req)
	if err != nil {
		return nil, fmt.Errorf("opening a WebSocket: %w", err)
	}
	if resp.StatusCode != want {
		resp.Body.Close()
		return nil, fmt.Errorf("opening a WebSocket was answered %d", resp.StatusCode)
	}
	s := &webSocket{r: bufio.NewReader(resp.Body), w: w, close: func() { w.Close(); resp.Body.Close() }}
	if rw, ok := resp.Body.(io.ReadWriteCloser); ok && want == http.StatusSwitchingProtocols {
		s.w = rw
	}
	return s, nil
}

// Close ends the WebSocket without a word.
func (s *webSocket) Close() { s.close() }

// send sends a text message, masked with zeros (RFC 6455 §5.2).
func (s *webSocket) send(p []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	f := []byte{0x81, 0x80 | 126, 0, 0, 0, 0, 0, 0}
	wire.BigEndian.PutUint16(f[2:], uint16(len(p)))
	_, err := s.w.Write(append(f, p...))
	return err
}

// receive reads a frame.
func (s *webSocket) receive() (opcode byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(s.r, head[:]); err != nil {
		return 0, nil, err
	}
	n := int(head[1] & 0x7f)
	if n == 126 {
		var long [2]byte
		if _, err := io.ReadFull(s.r, long[:]); err != nil {
			return 0, nil, err
		}
		n = int(wire.BigEndian.Uint16(long[:]))
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(s.r, payload)
	return head[0] & 0xf, payload, err
}

// untilClosed reads to the close frame and returns its code; what follows it
// must be the end.
func (s *webSocket) untilClosed() (code int, err error) {
	for {
		opcode, payload, err := s.receive()
		if err != nil {
			return 0, err
		}
		if opcode != 8 {
			continue
		}
		if len(payload) < 2 {
			return 0, errors.New("a close frame without a code")
		}
		return int(wire.BigEndian.Uint16(payload)), nil
	}
}

// echo sends a message and waits for it to come back.
func (s *webSocket) echo(text string) error {
	if err := s.send([]byte(text)); err != nil {
		return err
	}
	_, payload, err := s.receive()
	if err == nil && string(payload) != text {
		err = fmt.Errorf("%q came back", payload)
	}
	return err
}
