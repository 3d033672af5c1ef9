package inject

import "bytes"

// scanResult is the result of scanning the first bytes of a document.
type scanResult uint8

const (
	scanMore   scanResult = iota // the bytes end inside the prelude
	scanInsert                   // the tag belongs at prelude.pos
	scanRefuse                   // the document gets no tag; see prelude.reason
)

// span is a half-open range of the document's bytes. It is empty if absent.
type span struct{ from, to int }

func (s span) in(b []byte) []byte { return b[s.from:s.to] }
func (s span) found() bool        { return s.to > s.from }

// prelude finds the earliest position in a document where a script can be inserted
// without changing how the parser treats the rest: right after <head …>, or before the
// first byte that is not part of a BOM, white space, a comment, a doctype, <html …> or
// <head …>. It follows the tokenizer of the HTML standard (section 13.2.5), resumes
// after the last complete token, and reads no further than it must.
//
// Text may come first, such as a PHP notice before the doctype. The parser then opens
// <html>, <head> and <body> in quirks mode, with or without a tag before the text.
type prelude struct {
	pos    int  // start of the first token that was not scanned; in the end, the position of the tag
	bom    bool // the document starts with a UTF-8 byte order mark
	markup bool // at least one token was seen

	doctype, html, head span

	reason Reason // set with scanRefuse
}

// document reports whether the prelude belongs to a whole document, not to a fragment.
func (s *prelude) document() bool {
	return s.doctype.found() || s.html.found() || s.head.found()
}

// scan continues with all bytes received so far. eof means that no more follow.
func (s *prelude) scan(b []byte, eof bool) scanResult {
	if s.pos == 0 {
		if r := s.scanBOM(b, eof); r != scanInsert {
			return r
		}
	}
	for {
		for s.pos < len(b) && isSpace(b[s.pos]) {
			s.pos++
		}
		rest := b[s.pos:]
		if len(rest) == 0 {
			if !eof {
				return scanMore
			}
			if !s.markup {
				return s.refuse(ReasonEmpty)
			}
			return s.insert(b)
		}
		n, known := s.token(rest)
		switch {
		case !known && !eof:
			return scanMore
		case !known:
			return s.refuse(ReasonUndecided)
		case n == 0 && !s.markup && isControl(rest[0]):
			return s.refuse(ReasonBinary)
		case n == 0 && !s.markup && (rest[0] == '{' || rest[0] == '['):
			return s.refuse(ReasonNotMarkup)
		case n == 0:
			if rest[0] == 0 || rest[0] == '<' && rest[1] == 0 {
				return s.refuse(ReasonBinary)
			}
			return s.insert(b)
		}
		s.markup = true
		s.pos += n
		if s.head.found() {
			return s.insert(b)
		}
	}
}

// settle decides about a document of which only b will be scanned. After a doctype, the
// tag may be inserted before a comment that is too long to scan.
func (s *prelude) settle(b []byte) scanResult {
	r := s.scan(b, true)
	switch {
	case r != scanRefuse:
	case s.reason == ReasonUndecided && s.document():
		return s.insert(b)
	case s.reason == ReasonEmpty && len(b) > 0:
		s.reason = ReasonUndecided
	}
	return r
}

// scanBOM skips a UTF-8 byte order mark. scanInsert means that scanning continues.
func (s *prelude) scanBOM(b []byte, eof bool) scanResult {
	const utf8 = "\xef\xbb\xbf"
	switch {
	case len(b) >= 2 && (b[0] == 0xfe && b[1] == 0xff || b[0] == 0xff && b[1] == 0xfe):
		return s.refuse(ReasonCharset)
	case len(b) >= 3 && string(b[:3]) == utf8:
		s.bom, s.pos = true, 3
	case !eof && len(b) < 3 && (string(b) == utf8[:len(b)] || len(b) == 1 && b[0] >= 0xfe):
		return scanMore
	}
	return scanInsert
}

// token returns the length of the prelude token at the start of b, or zero if b starts
// with something else. known is false if b ends too early to decide.
func (s *prelude) token(b []byte) (n int, known bool) {
	if b[0] != '<' {
		return 0, true
	}
	if len(b) < 2 {
		return 0, false
	}
	switch c := b[1]; {
	case c == '!':
		return s.declaration(b)
	case c == '?':
		return through(b, '>') // XML declarations are bogus comments in HTML
	case c == '/' && len(b) < 3:
		return 0, false
	case c == '/' && !isLetter(b[2]):
		return through(b, '>') // not an end tag, but a bogus comment
	case c|0x20 == 'h':
		return s.startTag(b)
	}
	return 0, true
}

// declaration returns the length of "<!-- … -->", "<!doctype …>" or another "<!…>".
func (s *prelude) declaration(b []byte) (n int, known bool) {
	body := b[2:]
	switch {
	case hasPrefixFold(body, "--"):
		return commentEnd(b)
	case hasPrefixFold(body, "doctype"):
		// A '>' ends a doctype even inside its quotes.
		n, known = through(b, '>')
		if known && !s.document() {
			s.doctype = span{s.pos, s.pos + n}
		}
		return n, known
	case len(body) < 2 && hasPrefixFold([]byte("--"), string(body)),
		len(body) < 7 && hasPrefixFold([]byte("doctype"), string(body)):
		return 0, false
	}
	return through(b, '>')
}

// startTag returns the length of the first <html …> or <head …>. Other tags do not
// belong to the prelude.
func (s *prelude) startTag(b []byte) (n int, known bool) {
	const nameEnd = len("<html")
	if len(b) <= nameEnd {
		if hasPrefixFold([]byte("<html"), string(b)) || hasPrefixFold([]byte("<head"), string(b)) {
			return 0, false
		}
		return 0, true
	}
	if c := b[nameEnd]; !isSpace(c) && c != '/' && c != '>' {
		return 0, true
	}
	isHTML, isHead := hasPrefixFold(b, "<html"), hasPrefixFold(b, "<head")
	if !isHead && (!isHTML || s.html.found()) {
		return 0, true
	}
	n, known = tagEnd(b, nameEnd)
	if !known {
		return 0, false
	}
	if isHead {
		s.head = span{s.pos, s.pos + n}
	} else {
		s.html = span{s.pos, s.pos + n}
	}
	return n, true
}

func (s *prelude) insert(b []byte) scanResult {
	if bytes.IndexByte(b[:s.pos], 0) >= 0 {
		return s.refuse(ReasonBinary)
	}
	return scanInsert
}

func (s *prelude) refuse(why Reason) scanResult {
	s.reason = why
	return scanRefuse
}

// commentEnd returns the length of a comment. A comment ends at "-->" or "--!>".
// "<!-->" and "<!--->" are complete comments.
func commentEnd(b []byte) (n int, known bool) {
	const open = len("<!--")
	for i := open; i < len(b); i++ {
		j := bytes.IndexByte(b[i:], '>')
		if j < 0 {
			return 0, false
		}
		i += j
		text := b[open:i]
		switch {
		case len(text) == 0, len(text) == 1 && text[0] == '-',
			bytes.HasSuffix(text, []byte("--")), bytes.HasSuffix(text, []byte("--!")):
			return i + 1, true
		}
	}
	return 0, false
}

// tagEnd returns the length of a start tag whose name ends before from. A quote starts
// a value only after '='. A '>' inside a quoted value does not end the tag.
func tagEnd(b []byte, from int) (n int, known bool) {
	const (
		between = iota // before a name, after a quoted value, or after '/'
		name
		afterName
		beforeValue
		bare
	)
	state := between
	for i := from; i < len(b); i++ {
		c := b[i]
		if c == '>' {
			return i + 1, true
		}
		switch state {
		case between:
			if !isSpace(c) && c != '/' {
				state = name // even for '=', which may start a name
			}
		case name, afterName:
			switch {
			case c == '=':
				state = beforeValue
			case c == '/':
				state = between
			case isSpace(c):
				state = afterName
			default:
				state = name
			}
		case beforeValue:
			switch {
			case isSpace(c):
			case c == '"' || c == '\'':
				j := bytes.IndexByte(b[i+1:], c)
				if j < 0 {
					return 0, false
				}
				i += 1 + j
				state = between
			default:
				state = bare
			}
		case bare:
			if isSpace(c) {
				state = between
			}
		}
	}
	return 0, false
}

// through returns the length up to and including the first c.
func through(b []byte, c byte) (n int, known bool) {
	i := bytes.IndexByte(b, c)
	return i + 1, i >= 0
}

// isSpace reports whether c is ASCII white space as defined by the HTML standard.
func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f'
}

// isControl reports whether c is a byte that cannot begin a text.
func isControl(c byte) bool { return c < ' ' && c != 0x1b || c == 0x7f }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// hasPrefixFold is bytes.HasPrefix without regard to the case of ASCII letters.
func hasPrefixFold(b []byte, prefix string) bool {
	if len(b) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower(b[i]) != lower(prefix[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
