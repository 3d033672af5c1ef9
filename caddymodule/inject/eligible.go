package inject

import (
	"net/http"
	"strconv"
	"strings"
)

// ineligible says why a response cannot carry a tag, as far as its status and
// header tell.
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

// shows reports whether browsers show the body of a response with this status:
// errors are pages, too. Redirects are followed, and parts have no place for a tag.
func shows(status int, h http.Header) bool {
	switch status {
	case http.StatusNoContent, http.StatusResetContent, http.StatusPartialContent, http.StatusNotModified:
		return false
	}
	return status >= 200 && (status/100 != 3 || first(h, "Location") == "")
}

// isHTML reports a media type of text/html. XHTML is parsed by other rules.
func isHTML(h http.Header) bool {
	media, _, _ := strings.Cut(first(h, "Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(media), "text/html")
}

// wideCharset reports an encoding in which our ASCII tag would be noise.
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

// isAttachment reports whether browsers save the response: a type other than
// inline means attachment, and a parameter without a type means nothing.
func isAttachment(disposition string) bool {
	kind, _, _ := strings.Cut(disposition, ";")
	kind = strings.TrimSpace(kind)
	return kind != "" && !strings.Contains(kind, "=") && !strings.EqualFold(kind, "inline")
}

// sniffLength is how much of a body browsers look at to guess its type.
const sniffLength = 512

// untyped reports a response whose type browsers have to guess.
func untyped(h http.Header) bool { return strings.TrimSpace(first(h, "Content-Type")) == "" }

// guessable reports whether a navigation may find a page in a response without a
// type.
func guessable(status int, h http.Header) bool {
	return untyped(h) && shows(status, h) && coding(h) == codingIdentity &&
		!strings.EqualFold(strings.TrimSpace(first(h, "X-Content-Type-Options")), "nosniff")
}

// guess says what browsers make of a body without a type, as far as it concerns
// us: scanInsert for a page. more says that data may go on.
func guess(data []byte, more bool) scanResult {
	if len(data) < sniffLength && more {
		return scanMore
	}
	if strings.HasPrefix(http.DetectContentType(data), "text/html") {
		return scanInsert
	}
	return scanRefuse
}

// wholeRange reports a 206 that has everything.
func wholeRange(h http.Header) bool {
	unit, rest, _ := strings.Cut(first(h, "Content-Range"), " ")
	from, rest, _ := strings.Cut(rest, "-")
	to, size, _ := strings.Cut(rest, "/")
	last, err := strconv.ParseInt(to, 10, 64)
	total, err2 := strconv.ParseInt(size, 10, 64)
	return unit == "bytes" && from == "0" && err == nil && err2 == nil && last == total-1
}

// hasToken looks for one member of comma-separated lists.
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
