package site

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// openPaths returns open paths in the form that edges match, each once, in their order.
func openPaths(list, hosts []string) ([]string, error) {
	var out []string
	for i, pasted := range list {
		path, why := parsePath(pasted, hosts)
		if why != "" {
			return nil, refuse(index("open_paths", i), "%s", why)
		}
		if slices.Contains(out, path) {
			continue
		}
		if len(out) == protocol.MaxOpenPaths {
			return nil, refuse("open_paths", "must have at most %d paths; a star at the end, as in /hooks/*, stands for many", protocol.MaxOpenPaths)
		}
		out = append(out, path)
	}
	return out, nil
}

// parsePath returns the open path that somebody means who pastes a path, a URL of the site,
// or either without its beginning. why is the reason if it is refused.
//
// A path has one of three forms: /robots.txt is that path; /hooks/* is what begins with
// /hooks/; /*.css and /*/robots.txt are what ends so, in any directory. Letters count as
// they are written.
func parsePath(pasted string, hosts []string) (path, why string) {
	path = strings.TrimFunc(pasted, func(r rune) bool { return unicode.IsSpace(r) || r == '\uFEFF' || r == '\u200B' })
	switch {
	case path == "":
		return "", "is empty; write a path such as /robots.txt"
	case len(path) > protocol.MaxSiteURL:
		return "", "is too long"
	case !utf8.ValidString(path):
		return "", "is not valid UTF-8"
	case strings.ContainsFunc(path, unicode.IsSpace):
		return "", "has a space; write each path on its own, and a space in a path as %20"
	case strings.ContainsAny(path, "?#"):
		return "", "has a query or fragment; write the path alone: everything after it passes, too"
	}
	if path, why = withoutHost(path, hosts); why != "" {
		return "", why
	}
	if path, why = decoded(path); why != "" {
		return "", why
	}
	if path, why = inForm(path); why != "" {
		return "", why
	}
	if opensGate(path) {
		return "", "would open the gate's own paths below " + protocol.GatePrefix + "; write a longer path, such as /.well-known/*"
	}
	if len(path) > protocol.MaxOpenPath {
		return "", fmt.Sprintf("is longer than %d bytes", protocol.MaxOpenPath)
	}
	return path, ""
}

// withoutHost removes the scheme and host of a URL, and a host of the provider itself.
func withoutHost(path string, hosts []string) (rest, why string) {
	scheme, after, isURL := strings.Cut(path, "://")
	switch {
	case isURL && (strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "http")):
		_, rest, _ = strings.Cut(after, "/")
		return "/" + rest, ""
	case isURL && !strings.Contains(scheme, "/"):
		return "", "must be a path of the site, such as /robots.txt, or its http:// or https:// URL"
	}
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "//"), "/")
	host, _, _ := strings.Cut(strings.ToLower(first), ":")
	if slices.Contains(hosts, host) {
		return "/" + rest, ""
	}
	return path, ""
}

// decoded decodes a path once and refuses what servers read in different ways.
func decoded(path string) (plain, why string) {
	lower := strings.ToLower(path)
	for _, code := range []string{"%2f", "%5c", "%3b", "%25", "%2e", "%00", "%2a", "%3f", "%23"} {
		if strings.Contains(lower, code) {
			return "", "has " + code + ", which servers read in different ways; write the character itself or leave the path out"
		}
	}
	plain, err := url.PathUnescape(path)
	if err != nil || !utf8.ValidString(plain) {
		return "", "has a percent sign that does not begin an encoded character"
	}
	if i := strings.IndexAny(plain, "\\;{}[]%?#"); i >= 0 {
		return "", "has the character " + plain[i:i+1] + ", which servers read in different ways"
	}
	if strings.ContainsFunc(plain, hiddenRune) {
		return "", "has a control character"
	}
	return plain, ""
}

// inForm returns a path in one of the forms of [parsePath].
func inForm(path string) (form, why string) {
	path = "/" + strings.TrimLeft(path, "/")
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	for strings.Contains(path, "**") {
		path = strings.ReplaceAll(path, "**", "*")
	}
	if strings.Contains(path, "..") || strings.Contains(path, "/./") || strings.HasSuffix(path, "/.") {
		return "", "has . or .. as a directory; write the path as the app receives it"
	}
	if strings.Trim(path, "/*.") == "" {
		return "", "would open the whole site or its start page; write the paths that need no session, such as /robots.txt or /hooks/*"
	}
	if suffix, any := strings.CutPrefix(path, "/*"); any {
		extension := strings.HasPrefix(suffix, ".") && !strings.Contains(suffix, "/")
		if name := strings.HasPrefix(suffix, "/") && !strings.HasSuffix(suffix, "/"); strings.Contains(suffix, "*") || !extension && !name {
			return "", "has a star at its beginning; this is for endings such as /*.css and /*/robots.txt"
		}
		return path, ""
	}
	if star := strings.IndexByte(path, '*'); star >= 0 && star != len(path)-1 {
		return "", "has a star in its middle; a star stands at the end, as in /hooks/*"
	}
	return path, ""
}

// opensGate reports whether a path in form matches one of the gate's own. Letters count
// neither way, because the gate does not decide how others read them.
func opensGate(path string) bool {
	path = strings.ToLower(path)
	if strings.Contains(path+"/", protocol.GatePrefix) {
		return true
	}
	prefix, wild := strings.CutSuffix(path, "*")
	return wild && (strings.HasPrefix(protocol.GatePrefix, prefix) || strings.HasPrefix(prefix, strings.TrimSuffix(protocol.GatePrefix, "/")))
}
