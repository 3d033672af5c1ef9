package inject

import (
	"bytes"
	"strings"
)

// scriptStart is the beginning of a script, as far as it determines what may be
// inserted before it.
type scriptStart uint8

const (
	startsPlain      scriptStart = iota
	startsStrict                 // the directive "use strict"
	startsWithImport             // a static import, which only modules have
)

// strict is the text of the directive that turns on strict mode.
const strict = "use strict"

// startOf parses comments and directives up to the first statement of a script. found
// is false if b ends before that statement. eof means that b is the whole script.
func startOf(b []byte, eof bool) (start scriptStart, found bool) {
	const mark = "\xef\xbb\xbf"
	if len(b) < len(mark) && strings.HasPrefix(mark, string(b)) {
		return start, eof
	}
	b = bytes.TrimPrefix(b, []byte(mark))
	for {
		rest, whole := skipBlank(b)
		if b = rest; !whole || len(b) == 0 {
			return start, eof
		}
		if b[0] != '"' && b[0] != '\'' {
			break
		}
		text, after, whole := directiveOf(b)
		if !whole && eof && text == strict {
			return startsStrict, true
		}
		if !whole {
			return start, eof
		}
		if after == nil { // the string begins an expression
			return start, true
		}
		if text == strict {
			start = startsStrict
		}
		b = after
	}
	const keyword = "import"
	if len(b) <= len(keyword) {
		return start, eof || !bytes.HasPrefix([]byte(keyword), b)
	}
	if !bytes.HasPrefix(b, []byte(keyword)) || isWordByte(b[len(keyword)]) {
		return start, true
	}
	rest, whole := skipBlank(b[len(keyword):])
	switch {
	case !whole || len(rest) == 0:
		return start, eof
	case rest[0] == '(' || rest[0] == '.': // import() and import.meta are expressions
		return start, true
	}
	return startsWithImport, true
}

// skipBlank skips white space and comments. whole is false if b ends inside a comment.
func skipBlank(b []byte) (rest []byte, whole bool) {
	for {
		b = bytes.TrimLeft(b, " \t\r\n\v\f")
		var end int
		switch {
		case bytes.HasPrefix(b, []byte("//")):
			if end = bytes.IndexAny(b, "\r\n"); end < 0 {
				return b, false
			}
			b = b[end:]
		case bytes.HasPrefix(b, []byte("/*")):
			if end = bytes.Index(b[2:], []byte("*/")); end < 0 {
				return b, false
			}
			b = b[2+end+2:]
		default:
			return b, len(b) != 1 || b[0] != '/'
		}
	}
}

// directiveOf parses a string that is a complete statement. after is nil if it is not.
// whole is false if b ends too early to decide.
func directiveOf(b []byte) (text string, after []byte, whole bool) {
	end := bytes.IndexAny(b[1:], string(b[0])+"\\\r\n")
	if end < 0 {
		return "", nil, false
	}
	if b[1+end] != b[0] {
		return "", nil, true
	}
	text, after = string(b[1:1+end]), bytes.TrimLeft(b[1+end+1:], " \t")
	switch {
	case len(after) == 0:
		return text, nil, false
	case len(after) == 1 && after[0] == '/':
		return "", nil, false
	case after[0] == ';':
		return text, after[1:], true
	case after[0] == '\r' || after[0] == '\n' || bytes.HasPrefix(after, []byte("//")) || bytes.HasPrefix(after, []byte("/*")):
		return text, after, true
	}
	return "", nil, true
}

func isWordByte(c byte) bool {
	return isLetter(c) || '0' <= c && c <= '9' || c == '_' || c == '$' || c >= 0x80
}
