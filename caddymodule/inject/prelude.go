package inject

import "bytes"

// scanResult is what a look at a document's first bytes found.
type scanResult uint8

const (
	scanMore   scanResult = iota // the bytes end inside the prelude
	scanInsert                   // the tag goes to prelude.pos
	scanRefuse                   // no tag: see prelude.reason
)

// span is a half-open range of the document's bytes; empty when absent.
type span struct{ from, to int }

func (s span) in(b []byte) []byte { return b[s.from:s.to] }
func (s span) found() bool        { return s.to > s.from }

// prelude finds the earliest place of a document where a script can stand
// without changing what the parser makes of the rest: right after <head …>, or
// before the first byte that is neither BOM, white space, comment, doctype,
// <html …> nor <head …>. It follows the tokenizer of the HTML standard
// (section 13.2.5), resumes at the last whole token, and never reads further.
//
// Text may come first, such as a notice of PHP's before the doctype: the parser
// opens <html>, <head> and <body> for it, in quirks mode, with or without a tag
// before it.
type prelude struct {
	pos    int  // start of the first token that is not scanned; at the end, the place
	bom    bool // the document starts with a UTF-8 byte order mark
	markup bool // at least one token was seen

	doctype, html, head span

	reason Reason // set with scanRefuse
}

// document reports whether the prelude shows a whole document and no fragment.
func (s *prelude) document() bool {
	return s.doctype.found() || s.html.found() || s.head.found()
}

// scan continues with all bytes known so far; eof says that there are no more.
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

// settle decides about a document of which no more than b will be looked at. Behind
// a doctype, the tag may stand before a comment that is longer.
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

// scanBOM steps over a UTF-8 mark; scanInsert here means "go on".
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

// token measures the prelude token that b starts with. Zero means that b
// starts with something else; known is false when b ends too early to tell.
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
		return through(b, '>') // XML declarations: bogus comments to HTML
	case c == '/' && len(b) < 3:
		return 0, false
	case c == '/' && !isLetter(b[2]):
		return through(b, '>') // no end tag but a bogus comment again
	case c|0x20 == 'h':
		return s.startTag(b)
	}
	return 0, true
}

// declaration measures "<!-- … -->", "<!doctype …>" and other "<!…>".
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

// startTag measures the first <html …> and <head …>; any other tag is no prelude.
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

// commentEnd measures a comment: it ends at "-->", at "--!>", and at once when
// it reads "<!-->" or "<!--->".
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

// tagEnd measures a start tag whose name ends before from. A quote opens a
// value only after '=', and a '>' inside a quoted value ends nothing.
func tagEnd(b []byte, from int) (n int, known bool) {
	const (
		between = iota // before a name, after a quoted value, after '/'
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

// through measures up to and including the first c.
func through(b []byte, c byte) (n int, known bool) {
	i := bytes.IndexByte(b, c)
	return i + 1, i >= 0
}

// isSpace is the HTML standard's ASCII white space.
func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f'
}

// isControl reports a byte that no text begins with.
func isControl(c byte) bool { return c < ' ' && c != 0x1b || c == 0x7f }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// hasPrefixFold compares ASCII letters without regard to case.
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
