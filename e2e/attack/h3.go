package attack

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/sessiongate/sessiongate/e2e/harness"
)

// Types of frames and streams of HTTP/3 (RFC 9114).
const (
	frameData     = 0x0
	frameHeaders  = 0x1
	frameSettings = 0x4
	streamControl = 0x0

	settingExtendedConnect = 0x8 // RFC 9220
	settingDatagrams       = 0x33
)

// HTTP3 sends a stream in frames, on a connection of its own.
func (k *Kit) HTTP3(server string, s *Stream) error {
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	c, err := quic.DialAddr(ctx, k.HTTPS, &tls.Config{ServerName: server, NextProtos: []string{"h3"}, InsecureSkipVerify: true}, &quic.Config{})
	if err != nil {
		return fmt.Errorf("QUIC with %s: %w", server, err)
	}
	defer func() { _ = c.CloseWithError(0x100, "") }()
	control, err := c.OpenUniStream()
	if err != nil {
		return err
	}
	var settings []byte
	for _, id := range []uint64{settingExtendedConnect, settingDatagrams} {
		settings = quicvarint.Append(quicvarint.Append(settings, id), 1)
	}
	if _, err := control.Write(frame(quicvarint.Append(nil, streamControl), frameSettings, settings)); err != nil {
		return err
	}
	stream, err := c.OpenStreamSync(ctx)
	if err != nil {
		return err
	}
	sent := frame(nil, frameHeaders, fieldSection(s.Fields))
	if s.Body != "" {
		sent = frame(sent, frameData, []byte(s.Body))
	}
	if s.Trailers != nil {
		sent = frame(sent, frameHeaders, fieldSection(s.Trailers))
	}
	if _, err := stream.Write(sent); err != nil {
		return nil // refused while it was written
	}
	if !s.isConnect() {
		if err := stream.Close(); err != nil {
			return nil
		}
	}
	return s.readHTTP3(quicvarint.NewReader(stream))
}

func frame(to []byte, kind uint64, payload []byte) []byte {
	return append(quicvarint.Append(quicvarint.Append(to, kind), uint64(len(payload))), payload...)
}

func fieldSection(fields []Field) []byte {
	var block bytes.Buffer
	enc := qpack.NewEncoder(&block)
	for _, f := range fields {
		_ = enc.WriteField(qpack.HeaderField{Name: f.Name, Value: f.Value})
	}
	return block.Bytes()
}

// readHTTP3 reads the answer's frames.
func (s *Stream) readHTTP3(r quicvarint.Reader) error {
	for {
		kind, err := quicvarint.Read(r)
		if err != nil {
			return nil //nolint:nilerr // the stream ended, or was refused
		}
		size, err := quicvarint.Read(r)
		if err != nil {
			return nil //nolint:nilerr // the same
		}
		payload := make([]byte, size)
		if _, err := io.ReadFull(r, payload); err != nil {
			return nil //nolint:nilerr // the same
		}
		switch kind {
		case frameHeaders:
			for next := qpack.NewDecoder().Decode(payload); ; {
				f, err := next()
				if err != nil {
					break
				}
				if f.Name == ":status" {
					s.Status = f.Value
				}
			}
			if s.Status == "200" && s.isConnect() {
				return nil
			}
		case frameData:
			s.Answer += string(payload)
		}
	}
}
