package protocol

import (
	"fmt"
	"net/url"
	"strings"
)

// WithLaunchToken returns the address of an app with a launch token in its query, or
// "" for no address. The rest keeps every byte: the query is not decoded, and a
// fragment, such as a route of the app's, stays behind it. Only what a header of HTTP
// cannot hold is escaped.
func WithLaunchToken(app, launchToken string) string {
	if app == "" {
		return ""
	}
	return withParameter(app, LaunchParam, launchToken)
}

// WithSessionID returns a marketplace's URL with session_id added to its query. The
// rest stays as the marketplace wrote it. A URL that cannot be parsed becomes "".
func WithSessionID(page, sessionID string) string {
	if page == "" || sessionID == "" {
		return page
	}
	if _, err := url.Parse(page); err != nil {
		return ""
	}
	return withParameter(page, "session_id", sessionID)
}

// withParameter adds a parameter to the end of a URL's query.
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

// escapeForHeader escapes white space, control characters and what is not ASCII.
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
