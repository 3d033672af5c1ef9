package inject

import (
	"net/http"
	"strings"
)

// ineligible says why a response cannot carry a tag, as far as its status and
// header tell.
func ineligible(status int, h http.Header) Reason {
	switch {
	case status == http.StatusSwitchingProtocols:
		return ReasonUpgraded
	case status < 200 || status > 299, status == http.StatusNoContent,
		status == http.StatusResetContent, status == http.StatusPartialContent:
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

// isHTML reports a media type of text/html. XHTML is parsed by other rules, and
// an answer without a type is none of ours to sniff.
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

func isAttachment(disposition string) bool {
	kind, _, _ := strings.Cut(disposition, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "attachment")
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
