package inject

import "strings"

// site is the origin of a page, in the form in which policies name it.
type site struct {
	scheme string // "http" or "https"
	host   string // with the port, unless it is the scheme's default
}

// grant says what a source list must be given to allow our script element.
type grant uint8

const (
	granted    grant = iota
	grantNonce       // a nonce
	grantSelf        // 'self', because a nonce would disable the list's 'unsafe-inline'
)

// scriptGrant returns what a source list for script elements must be given to allow
// a tag with the nonce.
func scriptGrant(list, nonce string, self site) grant {
	inline, strict, listed := false, false, false
	for source := range strings.FieldsSeq(list) {
		switch {
		case strings.EqualFold(source, "'unsafe-inline'"):
			inline = true
		case strings.EqualFold(source, "'strict-dynamic'"):
			strict = true
		case isHash(source):
			listed = true
		default:
			n, ok := nonceOf(source)
			if ok && n == nonce {
				return granted
			}
			listed = listed || ok
		}
	}
	switch {
	case !strict && permits(list, self):
		return granted
	case inline && !strict && !listed:
		return grantSelf
	}
	return grantNonce
}

// permits reports whether a list allows all URLs of the page's own origin. A source
// with a path is taken as one that does not match.
func permits(list string, self site) bool {
	for source := range strings.FieldsSeq(list) {
		if strings.EqualFold(source, "'self'") || source == "*" || self.matches(source) {
			return true
		}
	}
	return false
}

// matches reports whether a scheme source or host source matches the whole site.
func (s site) matches(source string) bool {
	if scheme, ok := strings.CutSuffix(source, ":"); ok {
		return s.covers(scheme)
	}
	if scheme, rest, ok := strings.Cut(source, "://"); ok {
		if !s.covers(scheme) {
			return false
		}
		source = rest
	}
	source = strings.TrimSuffix(source, "/")
	if parent, ok := strings.CutPrefix(source, "*."); ok {
		return len(s.host) > len(parent)+1 && strings.EqualFold(s.host[len(s.host)-len(parent)-1:], "."+parent)
	}
	return s.host != "" && strings.EqualFold(source, s.host)
}

// covers reports whether a source's scheme matches that of the site. "http" also
// matches https.
func (s site) covers(scheme string) bool {
	return strings.EqualFold(scheme, s.scheme) || strings.EqualFold(scheme, "http") && s.scheme == "https"
}

// findNonce returns the first nonce of a list.
func findNonce(list string) string {
	for source := range strings.FieldsSeq(list) {
		if n, ok := nonceOf(source); ok {
			return n
		}
	}
	return ""
}

// nonceOf returns the nonce in a source. It accepts only nonces that the grammar
// allows, because the nonce becomes an attribute of our tag.
func nonceOf(source string) (string, bool) {
	const open = "'nonce-"
	if len(source) <= len(open)+1 || !strings.EqualFold(source[:len(open)], open) || source[len(source)-1] != '\'' {
		return "", false
	}
	n := source[len(open) : len(source)-1]
	body := strings.TrimRight(n, "=")
	if len(n)-len(body) > 2 || body == "" {
		return "", false
	}
	for i := range len(body) {
		switch c := body[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '+', c == '/', c == '-', c == '_':
		default:
			return "", false
		}
	}
	return n, true
}

func isHash(source string) bool {
	for _, open := range [...]string{"'sha256-", "'sha384-", "'sha512-"} {
		if len(source) > len(open) && strings.EqualFold(source[:len(open)], open) {
			return true
		}
	}
	return false
}

func hasSource(list, want string) bool {
	for source := range strings.FieldsSeq(list) {
		if strings.EqualFold(source, want) {
			return true
		}
	}
	return false
}
