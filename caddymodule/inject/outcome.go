package inject

import (
	"net/http"
	"net/url"
)

// Mode is how the tag got into a document.
type Mode string

const (
	ModeNone     Mode = ""         // no tag: see the reason
	ModeIdentity Mode = "identity" // inserted at the exact place of an uncompressed body
	ModePrefix   Mode = "prefix"   // put before a gzip body, whose bits stayed untouched
	ModeReencode Mode = "reencode" // gzip body decoded, inserted at the exact place, encoded again
)

// Reason is why a document got no tag. The set is closed, so that a reason can
// be a metric's label.
type Reason string

const (
	ReasonNone            Reason = ""                 // the document has its tag
	ReasonUnanswered      Reason = "unanswered"       // the handler wrote no response
	ReasonNotNavigation   Reason = "not_navigation"   // fetch, image, script, …
	ReasonUpgraded        Reason = "upgraded"         // the connection left HTTP
	ReasonHead            Reason = "head"             // HEAD has no body
	ReasonStatus          Reason = "status"           // no page: a redirect, a part, or without a body
	ReasonContentType     Reason = "content_type"     // not text/html
	ReasonContentEncoding Reason = "content_encoding" // neither gzip nor identity
	ReasonCharset         Reason = "charset"          // UTF-16 or UTF-32, by header or BOM
	ReasonNoTransform     Reason = "no_transform"     // Cache-Control: no-transform
	ReasonAttachment      Reason = "attachment"       // a download, not a page
	ReasonSandbox         Reason = "csp_sandbox"      // a CSP sandbox without allow-scripts or allow-same-origin
	ReasonEmpty           Reason = "empty"            // nothing but white space
	ReasonNotMarkup       Reason = "not_markup"       // JSON by its first character
	ReasonBinary          Reason = "binary"           // control characters where text should be
	ReasonFragment        Reason = "fragment"         // no sign of a navigation nor of a whole document
	ReasonUndecided       Reason = "undecided"        // prelude longer than we look, or cut short
	ReasonBadGzip         Reason = "bad_gzip"         // labeled gzip, but is not
	ReasonMultiMember     Reason = "multi_member"     // bytes after the first gzip member
	ReasonAborted         Reason = "aborted"          // the origin failed before the place was found
)

// Reasons lists every reason a page can be left alone for, in no order.
func Reasons() []Reason {
	return []Reason{
		ReasonUnanswered, ReasonNotNavigation, ReasonUpgraded, ReasonHead, ReasonStatus,
		ReasonContentType, ReasonContentEncoding, ReasonCharset, ReasonNoTransform,
		ReasonAttachment, ReasonSandbox, ReasonEmpty, ReasonNotMarkup, ReasonBinary,
		ReasonFragment, ReasonUndecided, ReasonBadGzip, ReasonMultiMember, ReasonAborted,
	}
}

// Outcome says what became of one response: a mode or a reason, never both.
type Outcome struct {
	Mode   Mode
	Reason Reason
}

// Injected reports whether the document carries our tag.
func (o Outcome) Injected() bool { return o.Mode != ModeNone }

// String is the mode or the reason, as a metric label or debug header wants it.
func (o Outcome) String() string {
	if o.Injected() {
		return string(o.Mode)
	}
	return string(o.Reason)
}

// Outcomes lists every outcome that a response can have.
func Outcomes() []Outcome {
	list := []Outcome{{Mode: ModeIdentity}, {Mode: ModePrefix}, {Mode: ModeReencode}}
	for _, r := range Reasons() {
		list = append(list, Outcome{Reason: r})
	}
	return list
}

// Examine says what a navigation to the page at u would get, if its origin sent
// status, header and body; body may be the beginning of the page only, if whole
// is false. Neither header nor body is changed.
func (i *Injector) Examine(u *url.URL, status int, h http.Header, body []byte, whole bool) Outcome {
	r := &http.Request{Method: http.MethodGet, Host: u.Host, Header: http.Header{
		"Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Mode": {"navigate"}, "Accept-Encoding": {"gzip"},
	}}
	sink := &unread{header: h.Clone()}
	if sink.header == nil {
		sink.header = make(http.Header)
	}
	// An injector of its own: what a stranger's page looks like is no verdict on
	// the pages that this one serves.
	w := New(i.cfg).Wrap(sink, r, u.Host)
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		w.Abort()
		return w.Outcome()
	}
	if !whole {
		w.Abort()
		return w.Outcome()
	}
	_ = w.Close() // a broken trailer changes nothing about where the tag went
	return w.Outcome()
}

// Blocks says what one policy, as a browser is given it, keeps from the tag:
// the script itself, or its calls to the page's own origin. Policies that come
// in headers are extended by [Writer] so that neither happens; this is for those
// in a page's markup, and for what others add on the way.
func Blocks(u *url.URL, policy, nonce string) (script, calls bool) {
	self := site{scheme: u.Scheme, host: u.Host}
	if flags, ok := directive(policy, "sandbox"); ok {
		script = !hasSource(flags, "allow-scripts")
		// Without it the page is of no origin, and its calls carry no cookie.
		calls = !hasSource(flags, "allow-same-origin")
	}
	if list, ok := scriptSources(policy); ok && scriptGrant(list, nonce, self) != granted {
		script = true
	}
	list, ok := directive(policy, "connect-src")
	if !ok {
		list, ok = directive(policy, "default-src")
	}
	if ok && !permits(list, self) {
		calls = true
	}
	return script, calls
}

// unread takes a response that nobody reads.
type unread struct{ header http.Header }

func (s *unread) Header() http.Header         { return s.header }
func (s *unread) WriteHeader(int)             {}
func (s *unread) Write(b []byte) (int, error) { return len(b), nil }
