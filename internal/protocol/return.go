package protocol

import "net/url"

// WithSessionID returns a marketplace's URL with session_id added to its query.
// The rest stays as the marketplace wrote it: its query is not decoded and
// encoded again. A URL that cannot be parsed becomes "".
func WithSessionID(page, sessionID string) string {
	if page == "" || sessionID == "" {
		return page
	}
	u, err := url.Parse(page)
	if err != nil {
		return ""
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "session_id=" + url.QueryEscape(sessionID)
	return u.String()
}
