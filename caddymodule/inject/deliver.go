package inject

import (
	"net/http"
	"strconv"
)

// gatherMost limits the size of the first write, which is copied. Later writes are not
// copied.
const gatherMost = 2 << 10

// take processes the next bytes of the response.
func (w *Writer) take(p []byte) error {
	if w.err != nil {
		return w.err
	}
	var err error
	switch w.state {
	case looking:
		err = w.seek(p, false)
	case passing:
		err = w.emit(p)
	case prefixing:
		err = w.trailer.forward(p, w.send)
		if w.probe != nil {
			w.probe.watch(p)
		}
	case encoding:
		err = w.encoder.write(p)
	default:
		err = http.ErrHijacked
	}
	if err != nil {
		return w.fail(err)
	}
	w.release()
	if w.hurry && w.state != looking {
		w.hurry = false
		return w.flush()
	}
	return nil
}

// seek searches the buffered bytes and p for the position of the tag.
func (w *Writer) seek(p []byte, eof bool) error {
	l := w.lookahead
	data, rest := p, []byte(nil)
	if len(l.held) > 0 {
		n := min(len(p), maxHold-len(l.held))
		l.held = append(l.held, p[:n]...)
		data, rest = l.held, p[n:]
	}
	mode := ModeIdentity
	result, why := w.look(data, eof)
	if result == scanInsert {
		mode, result, why = w.choose(data, eof)
	}
	if result == scanMore && (len(rest) > 0 || len(data) > maxHold) {
		result, why = scanRefuse, ReasonMultiMember // buffered while waiting for the end
	}
	switch {
	case result == scanRefuse:
		return w.refuse(why, data, rest)
	case result == scanMore:
		if len(l.held) == 0 {
			l.held = append(l.held, p...)
		}
		return nil
	}
	h := w.rw.Header()
	tag := w.describe(h)
	w.outcome = Outcome{Mode: mode}
	switch mode {
	case ModePrefix:
		return w.prefix(tag, data, rest)
	case ModeReencode:
		return w.reencode(tag, data, rest)
	}
	return w.insert(tag, data, rest)
}

// look determines whether the body is a page, if its header does not tell, and then
// finds the position of the tag.
func (w *Writer) look(data []byte, eof bool) (scanResult, Reason) {
	l := w.lookahead
	if l.untyped {
		more := !eof && (!w.hurry || len(data) == 0)
		switch guess(data, more) {
		case scanMore:
			return scanMore, ReasonNone
		case scanRefuse:
			return scanRefuse, ReasonContentType
		}
		l.untyped = false
		h := w.rw.Header()
		// Set no charset: the page's own <meta> and the browser determine it.
		h["Content-Type"] = []string{"text/html"}
		if why := ineligible(w.status, h); why != ReasonNone {
			return scanRefuse, why
		}
		varyByClass(h, w.class, w.recoded)
	}
	return l.at(data, eof)
}

// choose selects how the tag is inserted into a page in which its position is known.
func (w *Writer) choose(data []byte, eof bool) (Mode, scanResult, Reason) {
	l, verdicts := w.lookahead, &w.injector.verdicts
	switch {
	case w.class == silentRequest && !l.prelude.document():
		return ModeNone, scanRefuse, ReasonFragment
	case !l.gzip:
		return ModeIdentity, scanInsert, ReasonNone
	case w.injector.cfg.Exact, l.prelude.bom, verdicts.pinned(w.origin):
		return ModeReencode, scanInsert, ReasonNone
	}
	if result, why := l.ends(data, eof, w.hurry); result != scanInsert {
		return ModeNone, result, why
	}
	switch verdicts.claim(w.origin) {
	case pinned:
		return ModeReencode, scanInsert, ReasonNone
	case unknown:
		w.probe = newGzipProbe(verdicts, w.origin)
	}
	return ModePrefix, scanInsert, ReasonNone
}

// describe edits the header for the page with the tag and returns the tag.
func (w *Writer) describe(h http.Header) []byte {
	i := w.injector
	nonce := permitScript(h, w.self, i.cfg.Nonce)
	tag, link := i.snippet(nonce, wantsIntegrity(h))
	links := h["Link"]
	h["Link"] = append(links[:len(links):len(links)], link)
	dropBodyClaims(h)
	addSuffix(h, i.cfg.ETagSuffix)
	forbidResuming(h)
	return tag
}

// revalidate edits the header of a 304 response for a stored page with a tag. The
// stored page has its own tag and its own policy with a nonce, so revalidate removes a
// policy that would require a different nonce.
func (w *Writer) revalidate(h http.Header) {
	varyByClass(h, w.class, w.recoded)
	dropBodyClaims(h)
	addSuffix(h, w.injector.cfg.ETagSuffix)
	if bindsNonce(h, w.self) {
		for _, key := range policyHeaders {
			delete(h, key)
		}
		return
	}
	permitScript(h, w.self, nil)
}

// insert sends an uncompressed page with the tag.
func (w *Writer) insert(tag, data, rest []byte) error {
	place := w.lookahead.prelude.pos
	growLength(w.rw.Header(), len(tag))
	w.state = passing
	w.sendHeader()
	return w.emitAll(data[:place], tag, data[place:], rest)
}

// prefix sends a gzip page after a copy of its prelude and the tag. Parsers then ignore
// the page's own doctype, and merge its second <html> and <head>.
func (w *Writer) prefix(tag, data, rest []byte) error {
	l := w.lookahead
	content := l.decoded
	l.content = l.content[:0]
	for _, s := range [...]span{l.prelude.doctype, l.prelude.html, l.prelude.head} {
		l.content = append(l.content, s.in(content)...)
	}
	l.content = append(l.content, tag...)
	l.prefix = appendPrefix(l.prefix[:0], l.content)
	growLength(w.rw.Header(), len(l.prefix)-l.header)
	w.send = w.emit
	w.state, w.trailer = prefixing, newTrailer(l.content, remaining(l), w.probe == nil)
	w.sendHeader()
	if err := w.emit(l.prefix); err != nil {
		return err
	}
	for _, b := range [...][]byte{data[l.header:], rest} {
		if err := w.trailer.forward(b, w.send); err != nil {
			return err
		}
	}
	if w.probe != nil {
		w.probe.watch(data)
		w.probe.watch(rest)
	}
	return nil
}

// remaining returns the length of the body after its gzip header, or -1 if it is
// unknown.
func remaining(l *lookahead) int64 {
	if l.length < 0 {
		return -1
	}
	return max(-1, l.length-int64(l.header))
}

// reencode sends a gzip page that it decodes and encodes again.
func (w *Writer) reencode(tag, data, rest []byte) error {
	delete(w.rw.Header(), "Content-Length")
	w.state = encoding
	w.encoder = newReencoder(emitter{w}, w.lookahead.prelude.pos, tag)
	w.sendHeader()
	if err := w.encoder.write(data); err != nil {
		return err
	}
	return w.encoder.write(rest)
}

// refuse sends a page unchanged.
func (w *Writer) refuse(why Reason, data, rest []byte) error {
	w.state, w.outcome = passing, Outcome{Reason: why}
	w.sendHeader()
	return w.emitAll(data, rest)
}

// pass sends a response unchanged if its header rules out a tag.
func (w *Writer) pass(why Reason) {
	w.state, w.outcome, w.started = passing, Outcome{Reason: why}, true
	w.sendHeader()
}

func (w *Writer) sendHeader() {
	if h := w.rw.Header(); untyped(h) && !w.head {
		w.leaveUntyped(h)
	}
	if w.explain != "" {
		w.rw.Header()[w.explain] = []string{w.outcome.String()}
	}
	w.rw.WriteHeader(w.status)
}

// leaveUntyped prevents Caddy's encode handler from setting a type, and with it a
// charset, if the origin set none. Otherwise browsers would refuse a stylesheet as
// text/plain, and ignore a page's own charset. encode sets a type if the first write or
// the Content-Length is larger than its minimum.
func (w *Writer) leaveUntyped(h http.Header) {
	h["Content-Type"] = nil // prevents the server from guessing, too
	w.unguessed = true
	if n, err := strconv.ParseInt(first(h, "Content-Length"), 10, 64); err == nil && n > encodeMinimum && shows(w.status, h) {
		delete(h, "Content-Length")
	}
}

// writeUnguessed makes the first write of such a body and writes the rest of p.
func (w *Writer) writeUnguessed(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	w.unguessed = false
	if n, err = w.rw.Write(p[:min(len(p), encodeMinimum)]); err != nil || n == len(p) {
		return n, err
	}
	rest, err := w.rw.Write(p[n:])
	return n + rest, err
}

func (w *Writer) emitAll(parts ...[]byte) error {
	for _, b := range parts {
		if err := w.emit(b); err != nil {
			return err
		}
	}
	return nil
}

// emit writes b to the client, or buffers it for the first write.
func (w *Writer) emit(b []byte) error {
	if !w.started {
		l := w.lookahead
		n := min(len(b), gatherMost-len(l.first))
		l.first = append(l.first, b[:n]...)
		b = b[n:]
		if len(l.first) <= encodeMinimum {
			return nil
		}
		if err := w.start(); err != nil {
			return err
		}
	}
	return w.write(b)
}

// write writes b to the client.
func (w *Writer) write(b []byte) (err error) {
	switch {
	case len(b) == 0:
	case w.unguessed:
		_, err = w.writeUnguessed(b)
	default:
		_, err = w.rw.Write(b)
	}
	return err
}

// start makes the first write.
func (w *Writer) start() error {
	if w.started {
		return nil
	}
	w.started = true
	if w.lookahead == nil || len(w.lookahead.first) == 0 {
		return nil
	}
	return w.write(w.lookahead.first)
}

// release frees the lookahead when nothing refers to it.
func (w *Writer) release() {
	if w.lookahead != nil && w.started && w.state != looking {
		w.lookahead.free()
		w.lookahead = nil
	}
}

// fail stores the first error. Nothing may be written after a gap in the body.
func (w *Writer) fail(err error) error {
	w.err = err
	return err
}

// drop releases all memory that the response still holds.
func (w *Writer) drop() {
	if w.lookahead != nil {
		w.lookahead.free()
		w.lookahead = nil
	}
	if w.encoder != nil {
		w.encoder.free()
		w.encoder = nil
	}
	if w.probe != nil {
		w.probe.finish(false)
		w.probe = nil
	}
}

// emitter is the encoder's writer. It writes through emit, which buffers the first
// write.
type emitter struct{ w *Writer }

func (e emitter) Write(b []byte) (int, error) {
	if err := e.w.emit(b); err != nil {
		return 0, err
	}
	return len(b), nil
}
