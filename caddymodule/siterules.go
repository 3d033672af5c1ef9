package caddymodule

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// siteRules are the site settings of a provider in the form in which gates use them. They
// are immutable. What a backend sends that has no meaning here counts as the default.
type siteRules struct {
	exact       map[string]bool // open paths as they are written
	prefixes    []string        // beginnings of open paths
	suffixes    []string        // ends of open paths
	injectOff   bool
	partitioned bool
	identity    string // "": the default
	uploadGrace time.Duration
	maintenance *protocol.Maintenance // nil: the site is open
	brand       brand
	clock       *protocol.SessionSite // nil: all is the default
}

// defaultRules are those of a provider that has set nothing.
var defaultRules = siteRules{brand: brandOf(nil)}

// rulesOf returns the rules of a site, which are made once; nil for nil.
func rulesOf(site *edge.Site) *siteRules {
	if site == nil {
		return nil
	}
	return site.Derived(buildRules).(*siteRules)
}

func buildRules(st *protocol.SiteState) any {
	site := &st.Site
	rules := &siteRules{
		injectOff: site.Inject == injectOff, partitioned: site.Cookie == cookiePartitioned,
		uploadGrace: time.Duration(min(max(site.UploadGraceSeconds, 0), protocol.MaxUploadGrace)) * time.Second,
		brand:       brandOf(site.Brand), clock: sessionSite(site),
	}
	switch site.ForwardIdentity {
	case identityJWT, identityOff:
		rules.identity = site.ForwardIdentity
	}
	if m := site.Maintenance; m != nil && m.On {
		rules.maintenance = m
	}
	for _, pattern := range site.OpenPaths[:min(len(site.OpenPaths), protocol.MaxOpenPaths)] {
		rules.open(pattern)
	}
	return rules
}

// open opens the paths of a pattern. A pattern that would open more than a provider can
// mean is left out: the whole site, the gate's own paths, or what servers read in different
// ways.
func (s *siteRules) open(pattern string) {
	if len(pattern) > protocol.MaxOpenPath || strings.Contains(pattern, "..") || strings.ContainsAny(pattern, ambiguousCharacters+"?#%{}[]\x7f") ||
		strings.Contains(pattern, "//") || strings.Trim(pattern, "/*.") == "" {
		return
	}
	// *.css and */robots.txt are in any directory, also if they are written as /*.css.
	if name, wild := strings.CutPrefix(strings.TrimPrefix(pattern, "/"), "*"); wild {
		if !strings.Contains(name, "*") {
			s.suffixes = append(s.suffixes, name)
		}
		return
	}
	if !strings.HasPrefix(pattern, "/") {
		return
	}
	prefix, wild := strings.CutSuffix(pattern, "*")
	switch {
	case strings.Contains(prefix, "*"):
	case !wild:
		if s.exact == nil {
			s.exact = make(map[string]bool)
		}
		s.exact[pattern] = true
	default:
		s.prefixes = append(s.prefixes, prefix)
	}
}

// opens reports whether the provider has opened the request's path. Letters count as they
// are written. A path that the app's server may read in another way than the gate is never
// open. It allocates nothing.
func (s *siteRules) opens(r *http.Request) bool {
	if s.exact == nil && len(s.prefixes) == 0 && len(s.suffixes) == 0 {
		return false
	}
	if readsDifferently(r) || hasDotSegment(r.URL.Path) || hidesSlash(r.URL) {
		return false
	}
	path := r.URL.Path
	if s.exact[path] {
		return true
	}
	for _, prefix := range s.prefixes {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	for _, suffix := range s.suffixes {
		if strings.HasSuffix(path, suffix) {
			return true
		}
	}
	return false
}

// hidesSlash reports whether a path has an encoded slash. Some servers take it for a part
// of a name, so that /hooks%2Fapp is a page of its own there.
func hidesSlash(u *url.URL) bool {
	raw := u.RawPath
	for {
		i := strings.IndexByte(raw, '%')
		if i < 0 || len(raw) < i+3 {
			return false
		}
		if raw[i+1] == '2' && raw[i+2]|0x20 == 'f' {
			return true
		}
		raw = raw[i+1:]
	}
}

// hasDotSegment reports whether a path has a name that is a dot, or a double slash, both of
// which some servers remove.
func hasDotSegment(path string) bool {
	return strings.Contains(path, "//") || strings.Contains(path, "/./") || strings.HasSuffix(path, "/.")
}

// sessionSite is what the clock is told; nil if all is the default.
func sessionSite(site *protocol.Site) *protocol.SessionSite {
	var s protocol.SessionSite
	if b := site.Brand; b != nil {
		s.AppName, s.Accent = b.AppName, b.Accent
		if link := webURL(b.SupportURL); link != "" {
			s.SupportURL = link
		}
	}
	if c := site.Clock; c != nil && (c.Position != "" || c.Hidden || c.Collapsed || len(c.Texts) > 0) {
		s.Clock = c
	}
	if s.AppName == "" && s.Accent == "" && s.SupportURL == "" && s.Clock == nil {
		return nil
	}
	return &s
}

// webURL returns an address to which pages may link, or "".
func webURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > protocol.MaxSiteURL || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return ""
	}
	return u.String()
}
