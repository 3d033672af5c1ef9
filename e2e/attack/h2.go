package attack

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sessiongate/sessiongate/e2e/harness"
)

// Field is a field of a header, as it goes over the wire.
type Field struct{ Name, Value string }

// Stream is what is sent on a stream of HTTP/2 or HTTP/3, and what comes back.
type Stream struct {
	Fields   []Field
	Body     string
	Trailers []Field // nil for none

	Status string // of the answer; "" if the server refused the stream
	Answer string
}

// HTTP2 sends streams in frames, one connection for each, so that a refusal of one does
// not end another.
func (k *Kit) HTTP2(server string, s *Stream) error {
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: harness.Patience}, "tcp", k.HTTPS, &tls.Config{
		ServerName: server, NextProtos: []string{"h2"}, InsecureSkipVerify: true, // the edge's own authority
	})
	if err != nil {
		return fmt.Errorf("TLS with %s: %w", server, err)
	}
	defer c.Close()
	if got := c.ConnectionState().NegotiatedProtocol; got != "h2" {
		return fmt.Errorf("the edge speaks %q", got)
	}
	if err := c.SetDeadline(time.Now().Add(harness.Patience)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		return err
	}
	frames := http2.NewFramer(c, c)
	frames.AllowIllegalWrites = true
	if err := frames.WriteSettings(); err != nil {
		return err
	}
	if err := errors.Join(writeFields(frames, s.Fields, s.Body == "" && s.Trailers == nil), writeRest(frames, s)); err != nil {
		return nil // refused while it was written
	}
	return s.readHTTP2(frames)
}

func writeFields(frames *http2.Framer, fields []Field, last bool) error {
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, f := range fields {
		if err := enc.WriteField(hpack.HeaderField{Name: f.Name, Value: f.Value}); err != nil {
			return err
		}
	}
	const most = 16 << 10
	text := block.Bytes()
	first := text[:min(len(text), most)]
	err := frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: first, EndStream: last, EndHeaders: len(text) <= most})
	for text = text[len(first):]; err == nil && len(text) > 0; {
		part := text[:min(len(text), most)]
		text = text[len(part):]
		err = frames.WriteContinuation(1, len(text) == 0, part)
	}
	return err
}

func writeRest(frames *http2.Framer, s *Stream) error {
	if s.Body != "" {
		if err := frames.WriteData(1, s.Trailers == nil, []byte(s.Body)); err != nil {
			return err
		}
	}
	if s.Trailers != nil {
		return writeFields(frames, s.Trailers, true)
	}
	return nil
}

// readHTTP2 reads the answer to stream 1.
func (s *Stream) readHTTP2(frames *http2.Framer) error {
	dec := hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if f.Name == ":status" {
			s.Status = f.Value
		}
	})
	for {
		frame, err := frames.ReadFrame()
		if err != nil {
			return nil //nolint:nilerr // the connection ended, as one does that breaks the rules
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				if err := frames.WriteSettingsAck(); err != nil {
					return nil //nolint:nilerr // the same
				}
			}
		case *http2.HeadersFrame:
			if _, err := dec.Write(f.HeaderBlockFragment()); err != nil {
				return err
			}
			if f.StreamEnded() || s.Status == "200" && s.isConnect() {
				return nil
			}
		case *http2.DataFrame:
			s.Answer += string(f.Data())
			if f.StreamEnded() {
				return nil
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return nil
		}
	}
}

func (s *Stream) isConnect() bool {
	for _, f := range s.Fields {
		if f.Name == ":method" && f.Value == "CONNECT" {
			return true
		}
	}
	return false
}
