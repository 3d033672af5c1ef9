package origin

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// head is the head of a response.
type head struct {
	status int
	minor  int // HTTP/1.minor
	fields []field

	// What the fields say about the message.
	length    int64  // of the body; -1: unknown
	chunked   bool   // the body is
	keep      bool   // the connection may be used again
	upgrade   string // the protocol that the connection changes to
	upgrades  bool   // Connection says that it changes
	streams   bool   // the response asks to be handed on at once
	trailer   bool   // it announces trailers
	nominated bool   // Connection names fields of the response
}

// field is a header or trailer field. Its name is canonical.
type field struct{ name, value string }

// readHead reads a head of at most limit bytes. The error is of kind [Malformed], or that
// of the connection.
func (c *conn) readHead(h *head, limit int) error {
	*h = head{fields: h.fields[:0], length: -1}
	searched := 0
	for {
		b := c.buffered()
		if end := endOfHead(b, searched); end >= 0 {
			text := string(b[:end])
			c.discard(end)
			return h.parse(text)
		}
		if len(b) >= limit {
			return malformed("the head of the response is longer than %d bytes", limit)
		}
		searched = max(0, len(b)-3)
		if err := c.fill(limit); err != nil {
			if errors.Is(err, io.ErrShortBuffer) {
				return malformed("the head of the response is longer than %d bytes", limit)
			}
			return err
		}
	}
}

// endOfHead returns the index after the empty line that ends a head, or -1. No end begins
// before b[from].
func endOfHead(b []byte, from int) int {
	for i := from; ; {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return -1
		}
		i += n + 1
		switch {
		case i < len(b) && b[i] == '\n':
			return i + 1
		case i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n':
			return i + 2
		}
	}
}

// parse reads a head with its empty line.
func (h *head) parse(text string) error {
	line, rest := cutLine(text)
	if err := h.parseStatus(line); err != nil {
		return err
	}
	for {
		line, rest = cutLine(rest)
		if line == "" {
			break
		}
		f, err := parseField(line)
		if err != nil {
			return err
		}
		h.fields = append(h.fields, f)
	}
	return h.interpret()
}

// cutLine returns the first line of text without its end, and the rest.
func cutLine(text string) (line, rest string) {
	line, rest, _ = strings.Cut(text, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

// parseStatus reads a line such as "HTTP/1.1 200 OK".
func (h *head) parseStatus(line string) error {
	const prefix = "HTTP/1."
	bad := len(line) < len(prefix)+5 || line[:len(prefix)] != prefix || line[len(prefix)] != '0' && line[len(prefix)] != '1' || line[len(prefix)+1] != ' '
	if bad {
		return malformed("the response does not begin as HTTP/1.0 or HTTP/1.1")
	}
	h.minor = int(line[len(prefix)] - '0')
	code := line[len(prefix)+2:]
	if len(code) > 3 && code[3] != ' ' {
		return malformed("the status of the response is not a number of three digits")
	}
	for i := range 3 {
		if code[i] < '0' || code[i] > '9' {
			return malformed("the status of the response is not a number of three digits")
		}
		h.status = 10*h.status + int(code[i]-'0')
	}
	if h.status < 100 {
		return malformed("the status of the response is %d", h.status)
	}
	if !validValue(code[3:]) {
		return malformed("the reason of the response has a control character")
	}
	return nil
}

// parseField reads a line such as "Name: value". Lines that continue the one before begin
// with a space, and are refused: servers have not been allowed to send them since RFC 7230.
func parseField(line string) (field, error) {
	colon := strings.IndexByte(line, ':')
	if colon <= 0 || !validName(line[:colon]) {
		return field{}, malformed("a line of the head of the response is not a name, a colon and a value")
	}
	value := strings.Trim(line[colon+1:], " \t")
	if !validValue(value) {
		return field{}, malformed("the value of %s has a control character", line[:colon])
	}
	return field{textproto.CanonicalMIMEHeaderKey(line[:colon]), value}, nil
}

// interpret finds out what the fields say about the message. It drops a second
// Content-Length.
func (h *head) interpret() error {
	h.keep = h.minor == 1
	lengths, kept := 0, h.fields[:0]
	for _, f := range h.fields {
		switch f.name {
		case "Content-Length":
			n, ok := parseLength(f.value)
			if !ok || lengths > 0 && f.value != h.value("Content-Length") {
				return malformed("the Content-Length of the response is not one number")
			}
			h.length = n
			if lengths++; lengths > 1 {
				continue
			}
		case "Transfer-Encoding":
			if h.minor == 0 || h.chunked || !strings.EqualFold(f.value, "chunked") {
				return malformed("the Transfer-Encoding of the response is not chunked")
			}
			h.chunked = true
		case "Connection":
			h.parseConnection(f.value)
		case "Upgrade":
			h.upgrade = f.value
		case "Trailer":
			h.trailer = true
		case "Content-Type":
			h.streams = h.streams || isEventStream(f.value)
		case "Incremental":
			h.streams = h.streams || f.value == "?1"
		}
		kept = append(kept, f)
	}
	h.fields = kept
	if h.chunked && lengths > 0 { // RFC 9112, 6.3
		return malformed("the response has both a Transfer-Encoding and a Content-Length")
	}
	return nil
}

func (h *head) parseConnection(value string) {
	for option := range strings.SplitSeq(value, ",") {
		switch option = strings.Trim(option, " \t"); {
		case strings.EqualFold(option, "close"):
			h.keep = false
		case strings.EqualFold(option, "keep-alive"):
			h.keep = h.keep || h.minor == 0
		case strings.EqualFold(option, "upgrade"):
			h.upgrades = true
		case option == "":
		default:
			h.nominated = true
		}
	}
}

// parseLength reads a Content-Length, which has digits only.
func parseLength(s string) (int64, bool) {
	if s == "" || s[0] == '+' {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 0 && s[0] != '-'
}

func isEventStream(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(media), "text/event-stream")
}

// value returns the first value of a field.
func (h *head) value(name string) string {
	for _, f := range h.fields {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// copyTo adds the fields to dst, except for those that concern the connection alone. The
// values share one piece of memory.
func (h *head) copyTo(dst http.Header) {
	values := make([]string, len(h.fields))
	for i, f := range h.fields {
		if hopByHop(f.name) || f.name == "Content-Length" && h.status == http.StatusNoContent || h.nominated && h.nominates(f.name) {
			continue
		}
		values[i] = f.value
		if prior := dst[f.name]; len(prior) > 0 {
			dst[f.name] = append(prior, f.value)
			continue
		}
		dst[f.name] = values[i : i+1 : i+1]
	}
}

// nominates reports whether Connection names a field.
func (h *head) nominates(name string) bool {
	for _, f := range h.fields {
		if f.name == "Connection" && containsToken(f.value, name) {
			return true
		}
	}
	return false
}

// containsToken reports whether a list with commas has an element, in any case.
func containsToken(list, token string) bool {
	for element := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.Trim(element, " \t"), token) {
			return true
		}
	}
	return false
}

// hopByHop reports whether a field concerns the connection rather than the message. The
// name is canonical.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Alt-Svc":
		return true
	}
	return false
}
