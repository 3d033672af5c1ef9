package protocol

import "strings"

const (
	maxSegments = 8
	maxSegment  = 24
	// hidden stands in a reduced path for what may be somebody's.
	hidden = "…"
)

// persons are words after which a path names somebody.
var persons = map[string]bool{
	"u": true, "user": true, "users": true, "profile": true, "profiles": true, "people": true, "person": true,
	"member": true, "members": true, "account": true, "accounts": true, "customer": true, "customers": true,
	"author": true, "authors": true,
}

// ReducePath is a page's path without what may be somebody's: a query is no part
// of it, and a segment becomes "…" that is long, has three digits or more, has
// other characters than words and file names have, stands where a person's name
// does, or holds the user's id. It is at most 8 segments deep; reducing it again
// changes nothing.
func ReducePath(path, user string) string {
	if i := strings.IndexAny(path, "?#;"); i >= 0 {
		path = path[:i]
	}
	user = strings.ToLower(user)
	var out strings.Builder
	named := false // the segment before says that this one is a person
	rest := strings.TrimPrefix(path, "/")
	for n := 0; ; n++ {
		segment, more, deeper := strings.Cut(rest, "/")
		out.WriteByte('/')
		if n == maxSegments-1 && deeper && more != "" {
			out.WriteString(hidden)
			break
		}
		lower := strings.ToLower(segment)
		switch {
		case segment == "":
		case named, !word(segment), len(user) >= 3 && strings.Contains(lower, user), lower == user:
			out.WriteString(hidden)
		default:
			out.WriteString(segment)
		}
		named = persons[lower]
		if !deeper || n == maxSegments-1 {
			break
		}
		rest = more
	}
	return out.String()
}

// word reports whether a segment looks like a word or a file's name rather than
// an id.
func word(segment string) bool {
	if len(segment) > maxSegment || segment == hidden {
		return false
	}
	digits := 0
	for _, c := range []byte(segment) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '_', c == '.':
		case c >= '0' && c <= '9':
			digits++
		default:
			return false
		}
	}
	return digits < 3
}
