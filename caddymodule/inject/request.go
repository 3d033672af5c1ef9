package inject

import (
	"net/http"
	"strconv"
	"strings"
)

// class is what a request's headers say about who reads the answer.
type class uint8

const (
	otherRequest   class = iota // fetch, image, script, …: never gets a tag
	silentRequest               // says nothing: gets a tag if the answer is a whole document
	navigation                  // fills a window or frame
	navByUpgrade                // navigation of a client without Fetch Metadata, told by Upgrade-Insecure-Requests
	navByFetchMode              // navigation, told by Sec-Fetch-Mode
	navByWorker                 // navigation that a service worker forwarded, told by Upgrade-Insecure-Requests
)

func (c class) navigational() bool { return c >= navigation }

// classify reads Fetch Metadata, and Upgrade-Insecure-Requests for plain HTTP
// and for service workers, which send the destination "empty". A request that
// saves a file is no navigation, although Chromium gives it the mode of one.
func classify(h http.Header) class {
	dest, mode := first(h, "Sec-Fetch-Dest"), first(h, "Sec-Fetch-Mode")
	upgrade := first(h, "Upgrade-Insecure-Requests")
	switch {
	case IsPageDest(dest):
		return navigation
	case IsDownload(h):
		return otherRequest
	case mode == "navigate":
		return navByFetchMode
	case upgrade == "1" && dest == "" && mode == "":
		return navByUpgrade
	case upgrade == "1" && (mode == "same-origin" || mode == ""):
		return navByWorker // what scripts fetch from other origins has another mode
	case dest == "" && mode == "" && upgrade == "":
		return silentRequest
	}
	return otherRequest
}

// IsPageDest reports whether a Sec-Fetch-Dest displays a document.
func IsPageDest(dest string) bool {
	switch dest {
	case "document", "iframe", "frame", "object", "embed":
		return true
	}
	return false
}

// IsDownload reports whether a request saves a file: <a download>, "Save link as", or
// the rest of a file that broke off. Chromium sends it with the mode of a navigation. A
// navigation that a service worker forwarded has the same mode and destination, but
// keeps Upgrade-Insecure-Requests.
func IsDownload(h http.Header) bool {
	return first(h, "Sec-Fetch-Mode") == "navigate" && first(h, "Sec-Fetch-Dest") == "empty" && first(h, "Upgrade-Insecure-Requests") != "1"
}

// changes is what prepareRequest did that the response has to account for.
type changes struct {
	recoded     bool // Accept-Encoding differs from the client's
	revalidates bool // the conditions left are about our own variant
	ranged      bool // a navigation asks for a part
}

// prepareRequest asks the origin for a body that we can read, whole, and lets
// it compare only validators of injected copies.
func prepareRequest(h http.Header, c class, suffix string) (did changes) {
	if c == otherRequest {
		return did
	}
	did.recoded = restrictEncoding(h)
	translate(h, "If-Match", suffix)
	dropOwnRange(h, suffix)
	if c.navigational() {
		// Whoever goes on with a file that broke off may look like a navigation. A
		// part gets no tag; see [Writer.WriteHeader].
		did.ranged = first(h, "Range") != ""
		did.revalidates = keepOwnValidators(h, suffix)
		return did
	}
	did.revalidates = translate(h, "If-None-Match", suffix)
	return did
}

// dropOwnRange makes a request for the rest of our own variant one for all of it:
// a part of the origin's page must not be glued to a part of ours. A copy of ours
// without a strong ETag is not resumed, since it says Accept-Ranges: none.
func dropOwnRange(h http.Header, suffix string) {
	if _, ours := stripSuffix(first(h, "If-Range"), suffix); ours {
		delete(h, "Range")
		delete(h, "If-Range")
	}
}

// restrictEncoding leaves gzip in Accept-Encoding if the client takes it, and
// nothing otherwise.
func restrictEncoding(h http.Header) (changed bool) {
	values, ok := h["Accept-Encoding"]
	if !ok {
		return false
	}
	if len(values) == 1 && values[0] == "gzip" {
		return false
	}
	if acceptsGzip(values) {
		h["Accept-Encoding"] = []string{"gzip"}
	} else {
		delete(h, "Accept-Encoding")
	}
	return true
}

// acceptsGzip follows RFC 9110, section 12.5.3: gzip by name, else by "*",
// neither with a weight of zero.
func acceptsGzip(values []string) bool {
	named, any := false, false
	namedOK, anyOK := false, false
	for _, v := range values {
		for v != "" {
			var item string
			item, v, _ = strings.Cut(v, ",")
			coding, params, _ := strings.Cut(item, ";")
			switch coding = strings.TrimSpace(coding); {
			case strings.EqualFold(coding, "gzip"), strings.EqualFold(coding, "x-gzip"):
				named, namedOK = true, namedOK || weight(params) > 0
			case coding == "*":
				any, anyOK = true, weight(params) > 0
			}
		}
	}
	if named {
		return namedOK
	}
	return any && anyOK
}

// weight reads a q parameter; without one, or with one that is no number, it is 1.
func weight(params string) float64 {
	for params != "" {
		var p string
		p, params, _ = strings.Cut(params, ";")
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			if q, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil {
				return q
			}
		}
	}
	return 1
}

// first is http.Header.Get for a key that is known to be canonical.
func first(h http.Header, key string) string {
	if v := h[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}
