package protocol

import (
	"fmt"
	"net/url"
	"strings"
)

// WithLaunchToken returns the URL app with a launch token in its query, or "" if app is
// empty. It keeps every other byte of the URL: it does not decode the query, and the
// fragment, which may be a route of the app, stays at the end. It escapes only
// characters that an HTTP header cannot contain.
func WithLaunchToken(app, launchToken string) string {
	if app == "" {
		return ""
	}
	return withParameter(app, LaunchParam, launchToken)
}

// WithSessionID returns a marketplace's URL with session_id added to its query. The
// rest of the URL stays unchanged. If the URL cannot be parsed, it returns "".
func WithSessionID(page, sessionID string) string {
	if page == "" || sessionID == "" {
		return page
	}
	if _, err := url.Parse(page); err != nil {
		return ""
	}
	return withParameter(page, "session_id", sessionID)
}

// withParameter appends a parameter to the query of a URL.
func withParameter(page, name, value string) string {
	page, fragment, hasFragment := strings.Cut(page, "#")
	separator := "?"
	if path, query, ok := strings.Cut(page, "?"); ok {
		if separator = "&"; query == "" {
			page, separator = path, "?"
		}
	}
	to := escapeForHeader(page) + separator + name + "=" + url.QueryEscape(value)
	if hasFragment {
		to += "#" + escapeForHeader(fragment)
	}
	return to
}

// escapeForHeader escapes white space, control characters and non-ASCII characters.
func escapeForHeader(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
