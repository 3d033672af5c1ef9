package inject

import (
	"net/http"
	"strconv"
	"strings"
)

// varyByClass names the request headers that the answer depends on. Without
// them a copy that was fetched by script, and so has no tag, would be reused for
// a navigation. Requests that do not navigate need both names: a pass-through
// service worker's navigation differs from a fetch by the second alone.
func varyByClass(h http.Header, c class, recoded bool) {
	names := "Sec-Fetch-Dest"
	switch c {
	case navByFetchMode:
		names = "Sec-Fetch-Dest, Sec-Fetch-Mode"
	case navByUpgrade, silentRequest, otherRequest:
		names = "Sec-Fetch-Dest, Upgrade-Insecure-Requests"
	}
	addVary(h, names)
	if recoded {
		addVary(h, "Accept-Encoding")
	}
}

// addVary adds the names that Vary has not got yet.
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

// bodyClaims are what an origin says about bytes that change.
var bodyClaims = [...]string{"Accept-Ranges", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest"}

// dropBodyClaims removes them. It is called again at the end for those that
// came as trailers.
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

// growLength keeps Content-Length exact, or removes it if it makes no sense.
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

// wantsIntegrity reports an Integrity-Policy for scripts, enforced or reported.
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
