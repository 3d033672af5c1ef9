package inject

import (
	"net/http"
	"strconv"
	"strings"
)

// varyByClass adds to Vary the request headers that the response depends on.
// Otherwise a browser could use a copy that a script fetched, which has no tag, for
// a navigation. A navigation that a service worker forwards differs from a fetch by
// its mode alone, so that other requests need both names.
//
// Upgrade-Insecure-Requests is named only to clients that send no Fetch Metadata. A
// service worker finds that header in the navigations that it handles, and not in the
// requests by which it stored its pages: cache.match would find none of them. Fetch
// Metadata is in neither.
func varyByClass(h http.Header, c class, recoded bool) {
	names := "Sec-Fetch-Dest, Sec-Fetch-Mode"
	switch c {
	case navigation:
		names = "Sec-Fetch-Dest"
	case navByUpgrade, silentRequest:
		names = "Sec-Fetch-Dest, Upgrade-Insecure-Requests"
	}
	addVary(h, names)
	if recoded {
		addVary(h, "Accept-Encoding")
	}
}

// addVary adds to Vary the names that it does not contain.
func addVary(h http.Header, names string) {
	vary := h["Vary"]
	if hasToken(vary, "*") {
		return
	}
	var add string
	for name := range strings.SplitSeq(names, ", ") {
		switch {
		case hasToken(vary, name):
		case add == "":
			add = name
		default:
			add += ", " + name
		}
	}
	if add != "" {
		h["Vary"] = append(vary[:len(vary):len(vary)], add)
	}
}

// bodyClaims are the headers that describe the exact bytes of a body, which the tag
// changes.
var bodyClaims = [...]string{"Accept-Ranges", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest"}

// dropBodyClaims removes bodyClaims. It is called again after the body, because they
// may also be trailers.
func dropBodyClaims(h http.Header) {
	for _, key := range bodyClaims {
		delete(h, key)
	}
}

// forbidResuming keeps clients from asking for the rest of our variant by its date,
// which is the origin's as well. A strong ETag of ours tells the two apart.
func forbidResuming(h http.Header) {
	if first(h, "Last-Modified") != "" && !strings.HasPrefix(first(h, "Etag"), `"`) {
		h["Accept-Ranges"] = []string{"none"}
	}
}

// growLength adds by to Content-Length. It removes a value that is not valid.
func growLength(h http.Header, by int) {
	v := first(h, "Content-Length")
	if v == "" {
		return
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 || n+int64(by) < 0 {
		delete(h, "Content-Length")
		return
	}
	h["Content-Length"] = []string{strconv.FormatInt(n+int64(by), 10)}
}

// wantsIntegrity reports whether a response has an Integrity-Policy for scripts,
// enforced or report-only.
func wantsIntegrity(h http.Header) bool {
	for _, key := range [...]string{"Integrity-Policy", "Integrity-Policy-Report-Only"} {
		for _, v := range h[key] {
			_, list, ok := strings.Cut(v, "blocked-destinations")
			if !ok {
				continue
			}
			list, _, _ = strings.Cut(list, ")")
			if strings.Contains(list, "script") {
				return true
			}
		}
	}
	return false
}
