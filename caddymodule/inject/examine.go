package inject

import (
	"net/http"
	"net/url"
)

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
