package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// messageHead is what the bench needs to know of the head of an HTTP/1 message.
type messageHead struct {
	start   string // the first line
	coding  string
	accept  string // Accept-Encoding
	key     string // Sec-WebSocket-Key
	length  int    // -1: not said
	chunked bool
	session string // what a gate says of the session
	token   bool   // the session's token is in a cookie
}

// status is an answer's.
func (h *messageHead) status() (int, error) {
	if len(h.start) < 12 {
		return 0, fmt.Errorf("an answer begins with %q", h.start)
	}
	return strconv.Atoi(h.start[9:12])
}

func (h *messageHead) read(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	*h = messageHead{start: string(bytes.TrimRight(line, "\r\n")), length: -1}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			return nil
		}
		colon := bytes.IndexByte(line, ':')
		if colon < 0 {
			return fmt.Errorf("a header's line is %q", line)
		}
		name, value := line[:colon], bytes.TrimSpace(line[colon+1:])
		switch {
		case is(name, "Content-Length"):
			if h.length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		case is(name, "Transfer-Encoding"):
			h.chunked = is(value, "chunked")
		case is(name, "Content-Encoding"):
			h.coding = string(value)
		case is(name, "Accept-Encoding"):
			h.accept = string(value)
		case is(name, "Sec-WebSocket-Key"):
			h.key = string(value)
		case is(name, "Session-Gate-Session"):
			h.session = string(value)
		case is(name, "Cookie"):
			h.token = h.token || bytes.Contains(value, []byte("session_gate="))
		}
	}
}

// is tells whether a header has this name, in any case.
func is(got []byte, name string) bool {
	return len(got) == len(name) && bytes.EqualFold(got, []byte(name))
}

// readBody appends the message's body to buf. One without a length is empty: no
// contender closes connections.
func (h *messageHead) readBody(r *bufio.Reader, buf []byte) ([]byte, error) {
	if !h.chunked {
		return readN(r, buf, max(h.length, 0))
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return buf, err
		}
		n, err := strconv.ParseUint(string(bytes.TrimRight(line, "\r\n")), 16, 31)
		if err != nil {
			return buf, err
		}
		if buf, err = readN(r, buf, int(n)); err != nil {
			return buf, err
		}
		if end, err := r.ReadSlice('\n'); err != nil || len(bytes.TrimRight(end, "\r\n")) > 0 {
			return buf, errors.Join(err, errors.New("a chunk does not end where it said"))
		}
		if n == 0 {
			return buf, nil
		}
	}
}

func readN(r *bufio.Reader, buf []byte, n int) ([]byte, error) {
	at := len(buf)
	for cap(buf) < at+n {
		buf = append(buf[:cap(buf)], 0)
	}
	buf = buf[:at+n]
	_, err := io.ReadFull(r, buf[at:])
	return buf, err
}
