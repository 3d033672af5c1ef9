package inject

import (
	"crypto/rand"
	"html"
	"net/http"
)

// Config is what an Injector adds and how.
type Config struct {
	// Path of the script on the page's own origin, such as
	// "/.session-gate/boot.3fa9c1d2.js".
	Src string

	// The script's hash, such as "sha256-…". It goes into the tag only if the
	// page has an Integrity-Policy that asks for one.
	Integrity string

	// What marks the ETag of our variant, such as "-sg3fa9c1d2". It should change
	// with the script, and be made of letters, digits, '-' and '_'.
	ETagSuffix string

	// Decode, insert and encode gzip pages again instead of prefixing them.
	Exact bool

	// Nonce makes a value for a page whose policy needs one and has none. It must
	// be base64 and not guessable. Default: crypto/rand.Text.
	Nonce func() string
}

// Injector adds one script tag to the HTML documents of any number of origins.
// It is safe for concurrent use.
type Injector struct {
	cfg      Config
	tag      []byte // the tag of pages that ask for neither nonce nor integrity
	link     string // its announcement
	verdicts gzipVerdicts
}

// New makes an Injector. An empty Src makes no sense and is the caller's to refuse.
func New(cfg Config) *Injector {
	if cfg.Nonce == nil {
		cfg.Nonce = rand.Text
	}
	i := &Injector{cfg: cfg}
	i.tag = i.buildTag("", false)
	i.link = i.buildLink("", false)
	return i
}

// Wrap prepares r for its origin and returns the writer that its handler must
// answer to. The caller owns r.Header; requests that cannot be navigations are
// left as they are. The origin names who encodes the body: verdicts about gzip
// are kept under it. Close or Abort must be called once the handler is done.
func (i *Injector) Wrap(w http.ResponseWriter, r *http.Request, origin string) *Writer {
	c := classify(r.Header)
	if r.Method == http.MethodConnect || r.Header["Upgrade"] != nil {
		c = otherRequest
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return &Writer{
		rw: w, injector: i, origin: origin,
		class:   c,
		changes: prepareRequest(r.Header, c, i.cfg.ETagSuffix),
		head:    r.Method == http.MethodHead,
		self:    site{scheme: scheme, host: r.Host},
		outcome: Outcome{Reason: ReasonUnanswered},
	}
}

// buildTag writes the script element. An Integrity-Policy also demands a CORS
// request, which for our own origin is one word more.
func (i *Injector) buildTag(nonce string, integrity bool) []byte {
	b := append([]byte(nil), `<script src="`...)
	b = append(b, html.EscapeString(i.cfg.Src)...)
	b = append(b, '"')
	if nonce != "" {
		b = append(b, ` nonce="`...)
		b = append(b, nonce...)
		b = append(b, '"')
	}
	if integrity && i.cfg.Integrity != "" {
		b = append(b, ` integrity="`...)
		b = append(b, html.EscapeString(i.cfg.Integrity)...)
		b = append(b, `" crossorigin`...)
	}
	return append(b, "></script>"...)
}

// buildLink announces the script, with the attributes that the tag has: a
// preload that differs is fetched twice.
func (i *Injector) buildLink(nonce string, integrity bool) string {
	s := "<" + i.cfg.Src + ">; rel=preload; as=script"
	if nonce != "" {
		s += `; nonce="` + nonce + `"`
	}
	if integrity && i.cfg.Integrity != "" {
		s += `; integrity="` + i.cfg.Integrity + `"; crossorigin`
	}
	return s
}

// snippet returns tag and announcement for a page.
func (i *Injector) snippet(nonce string, integrity bool) (tag []byte, link string) {
	if nonce == "" && !integrity {
		return i.tag, i.link
	}
	return i.buildTag(nonce, integrity), i.buildLink(nonce, integrity)
}
