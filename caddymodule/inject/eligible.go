package inject

import (
	"net/http"
	"strconv"
	"strings"
)

// ineligible returns the reason why a response cannot get a tag, as far as its status
// and header determine it.
func ineligible(status int, h http.Header) Reason {
	switch {
	case status == http.StatusSwitchingProtocols:
		return ReasonUpgraded
	case !shows(status, h):
		return ReasonStatus
	case !isHTML(h):
		return ReasonContentType
	case wideCharset(first(h, "Content-Type")):
		return ReasonCharset
	case coding(h) == codingOther:
		return ReasonContentEncoding
	case hasToken(h["Cache-Control"], "no-transform"):
		return ReasonNoTransform
	case isAttachment(first(h, "Content-Disposition")):
		return ReasonAttachment
	case scriptless(h["Content-Security-Policy"]):
		return ReasonSandbox
	}
	return ReasonNone
}

// shows reports whether browsers display the body of a response with this status. They
// display errors as well. They follow redirects, and partial content has no position
// for a tag.
func shows(status int, h http.Header) bool {
	switch status {
	case http.StatusNoContent, http.StatusResetContent, http.StatusPartialContent, http.StatusNotModified:
		return false
	}
	return status >= 200 && (status/100 != 3 || first(h, "Location") == "")
}

// isHTML reports whether the media type is text/html. XHTML has different parsing
// rules.
func isHTML(h http.Header) bool {
	media, _, _ := strings.Cut(first(h, "Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(media), "text/html")
}

// wideCharset reports whether the charset is an encoding in which the ASCII tag would
// be unreadable.
func wideCharset(contentType string) bool {
	_, params, _ := strings.Cut(contentType, ";")
	for params != "" {
		var p string
		p, params, _ = strings.Cut(params, ";")
		name, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "charset") {
			continue
		}
		value = strings.ToLower(strings.Trim(value, " \t\"'"))
		return strings.HasPrefix(value, "utf-16") || strings.HasPrefix(value, "utf-32") ||
			value == "ucs-2" || value == "unicode" || value == "iso-10646-ucs-2"
	}
	return false
}

type contentCoding uint8

const (
	codingIdentity contentCoding = iota
	codingGzip
	codingOther
)

func coding(h http.Header) contentCoding {
	values := h["Content-Encoding"]
	if len(values) == 0 {
		return codingIdentity
	}
	if len(values) > 1 {
		return codingOther
	}
	switch v := strings.TrimSpace(values[0]); {
	case v == "" || strings.EqualFold(v, "identity"):
		return codingIdentity
	case strings.EqualFold(v, "gzip"), strings.EqualFold(v, "x-gzip"):
		return codingGzip
	}
	return codingOther
}

// isAttachment reports whether browsers save the response. Every type other than inline
// means attachment. A parameter without a type has no effect.
func isAttachment(disposition string) bool {
	kind, _, _ := strings.Cut(disposition, ";")
	kind = strings.TrimSpace(kind)
	return kind != "" && !strings.Contains(kind, "=") && !strings.EqualFold(kind, "inline")
}

// sniffLength is how many bytes of a body browsers examine to guess its type.
const sniffLength = 512

// untyped reports whether browsers have to guess the type of a response.
func untyped(h http.Header) bool { return strings.TrimSpace(first(h, "Content-Type")) == "" }

// guessable reports whether a response without a type can be a page when it answers a
// navigation.
func guessable(status int, h http.Header) bool {
	return untyped(h) && shows(status, h) && coding(h) == codingIdentity &&
		!strings.EqualFold(strings.TrimSpace(first(h, "X-Content-Type-Options")), "nosniff")
}

// guess determines whether browsers treat a body without a type as a page, and returns
// scanInsert if they do. more means that more data may follow.
func guess(data []byte, more bool) scanResult {
	if len(data) < sniffLength && more {
		return scanMore
	}
	if strings.HasPrefix(http.DetectContentType(data), "text/html") {
		return scanInsert
	}
	return scanRefuse
}

// wholeRange reports whether the range of a 206 response covers the whole body.
func wholeRange(h http.Header) bool {
	unit, rest, _ := strings.Cut(first(h, "Content-Range"), " ")
	from, rest, _ := strings.Cut(rest, "-")
	to, size, _ := strings.Cut(rest, "/")
	last, err := strconv.ParseInt(to, 10, 64)
	total, err2 := strconv.ParseInt(size, 10, 64)
	return unit == "bytes" && from == "0" && err == nil && err2 == nil && last == total-1
}

// hasToken reports whether one of the comma-separated lists contains token.
func hasToken(values []string, token string) bool {
	for _, v := range values {
		for v != "" {
			var item string
			item, v, _ = strings.Cut(v, ",")
			if strings.EqualFold(strings.TrimSpace(item), token) {
				return true
			}
		}
	}
	return false
}
