package inject

import (
	"net/http"
	"strings"
	"time"
)

// dateTag begins an ETag that was made from Last-Modified.
//
// A page with our tag has its origin's ETag with a suffix inside the quotes. The
// suffix contains the script's version, so a cached copy without our script, or with
// an older one, never validates for a navigation. If an origin sends only
// Last-Modified, the ETag is made from it, because a date cannot distinguish our
// copy from the origin's.
const dateTag = "sg-date-"

// addSuffix adds the suffix to the response's ETag. Without an ETag it makes one from
// Last-Modified. It removes a malformed ETag.
func addSuffix(h http.Header, suffix string) {
	if suffix == "" {
		return
	}
	tag := first(h, "Etag")
	if tag == "" {
		modified := first(h, "Last-Modified")
		if modified == "" {
			return
		}
		if t, err := time.Parse(http.TimeFormat, modified); err == nil {
			h["Etag"] = []string{`W/"` + dateTag + t.Format("20060102150405") + suffix + `"`}
		}
		return
	}
	if len(tag) >= 2 && strings.HasSuffix(tag, `"`) {
		h["Etag"] = []string{tag[:len(tag)-1] + suffix + `"`}
		return
	}
	delete(h, "Etag") // malformed: our variant could not be distinguished from the origin's
}

// stripSuffix removes the suffix from an entity tag and reports whether the tag had
// it.
func stripSuffix(tag, suffix string) (string, bool) {
	if suffix == "" || !strings.HasSuffix(tag, `"`) {
		return tag, false
	}
	bare, ours := strings.CutSuffix(tag[:len(tag)-1], suffix)
	if !ours || !strings.Contains(bare, `"`) {
		return tag, false
	}
	return bare + `"`, true
}

// made reports whether a tag without its suffix was made from a date.
func made(tag string) bool { return strings.HasPrefix(tag, `W/"`+dateTag) }

// keepOwnValidators keeps only conditions that copies with our tag fulfill: with any
// other, a 304 could make a browser show a copy without the script. It reports
// whether a condition is left.
func keepOwnValidators(h http.Header, suffix string) bool {
	values, ok := h["If-None-Match"]
	if !ok {
		delete(h, "If-Modified-Since")
		return false
	}
	var kept []string
	dated := false
	for tag := range entityTags(values) {
		switch bare, ours := stripSuffix(tag, suffix); {
		case ours && made(bare):
			dated = true
		case ours:
			kept = append(kept, bare)
		}
	}
	switch {
	case len(kept) > 0:
		h["If-None-Match"] = []string{strings.Join(kept, ", ")}
	case dated:
		delete(h, "If-None-Match")
	default:
		delete(h, "If-None-Match")
		delete(h, "If-Modified-Since")
		return false
	}
	return true
}

// translate replaces our entity tags in a header by the origin's, except for tags
// made from a date, which it removes. It keeps other tags, and reports whether the
// header contained any of ours.
func translate(h http.Header, key, suffix string) (ours bool) {
	values := h[key]
	if len(values) == 0 || suffix == "" || !anyContains(values, suffix) {
		return false
	}
	var kept []string
	for tag := range entityTags(values) {
		bare, stripped := stripSuffix(tag, suffix)
		ours = ours || stripped
		if !stripped || !made(bare) {
			kept = append(kept, bare)
		}
	}
	if len(kept) == 0 {
		delete(h, key)
	} else {
		h[key] = []string{strings.Join(kept, ", ")}
	}
	return ours
}

// entityTags yields the members of comma-separated lists of entity tags. The quoted
// part of a tag may contain commas.
func entityTags(values []string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range values {
			for {
				v = strings.TrimLeft(v, " \t,")
				if v == "" {
					break
				}
				end := strings.IndexByte(v, ',')
				if open := strings.IndexByte(v, '"'); open >= 0 && (end < 0 || open < end) {
					if end = strings.IndexByte(v[open+1:], '"'); end >= 0 {
						end += open + 2
					}
				}
				if end < 0 {
					end = len(v)
				}
				if !yield(strings.TrimRight(v[:end], " \t")) {
					return
				}
				v = v[end:]
			}
		}
	}
}

func anyContains(values []string, sub string) bool {
	for _, v := range values {
		if strings.Contains(v, sub) {
			return true
		}
	}
	return false
}
