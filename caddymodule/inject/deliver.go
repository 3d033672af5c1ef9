package inject

import (
	"net/http"
	"strconv"
)

// gatherMost bounds the first write, which is copied; the rest is not.
const gatherMost = 2 << 10

// take moves the response on by the next bytes.
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

// seek looks for the place of the tag in what is held and p.
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
		result, why = scanRefuse, ReasonMultiMember // held while its end was awaited
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

// look finds out whether the body is a page, if its header does not say, and then
// the place of the tag.
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
		// Without a charset: the page's own <meta> and the browser decide that.
		h["Content-Type"] = []string{"text/html"}
		if why := ineligible(w.status, h); why != ReasonNone {
			return scanRefuse, why
		}
		varyByClass(h, w.class, w.recoded)
	}
	return l.at(data, eof)
}

// choose picks the way in for a page whose place is found.
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

// describe edits the header for our variant of the page and returns the tag.
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

// revalidate edits a 304 about a stored copy of ours. That copy has its tag and
// its policy, nonce included, so a policy that would need another goes.
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

// insert delivers an uncompressed page.
func (w *Writer) insert(tag, data, rest []byte) error {
	place := w.lookahead.prelude.pos
	growLength(w.rw.Header(), len(tag))
	w.state = passing
	w.sendHeader()
	return w.emitAll(data[:place], tag, data[place:], rest)
}

// prefix delivers a gzip page behind a copy of its prelude and the tag. Parsers
// ignore the page's own doctype then, and merge its late <html> and <head>.
func (w *Writer) prefix(tag, data, rest []byte) error {
	l := w.lookahead
	content := l.inf.out[:l.inf.n]
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

// remaining is how long the body is after its gzip header, or -1.
func remaining(l *lookahead) int64 {
	if l.length < 0 {
		return -1
	}
	return max(-1, l.length-int64(l.header))
}

// reencode delivers a gzip page that is decoded on the way.
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

// refuse delivers a page as it is.
func (w *Writer) refuse(why Reason, data, rest []byte) error {
	w.state, w.outcome = passing, Outcome{Reason: why}
	w.sendHeader()
	return w.emitAll(data, rest)
}

// pass delivers a response that its header rules out.
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

// leaveUntyped keeps Caddy's encode handler from naming a type, and with it a
// charset, where the origin named none: a stylesheet would be refused as
// text/plain, and a page's own charset ignored. encode does so if the first write
// or the Content-Length is larger than its minimum.
func (w *Writer) leaveUntyped(h http.Header) {
	h["Content-Type"] = nil // nor does the server guess
	w.unguessed = true
	if n, err := strconv.ParseInt(first(h, "Content-Length"), 10, 64); err == nil && n > encodeMinimum && shows(w.status, h) {
		delete(h, "Content-Length")
	}
}

// writeUnguessed makes the first write of such a body, and the rest of p.
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

// emit writes b downstream, or gathers it for the first write.
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

// write writes b downstream.
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

// release gives the look back once nothing points into it.
func (w *Writer) release() {
	if w.lookahead != nil && w.started && w.state != looking {
		w.lookahead.free()
		w.lookahead = nil
	}
}

// fail keeps the first error: a body with a hole must not go on.
func (w *Writer) fail(err error) error {
	w.err = err
	return err
}

// drop gives all memory back that the response still has.
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

// emitter lets the encoder write through the gathering.
type emitter struct{ w *Writer }

func (e emitter) Write(b []byte) (int, error) {
	if err := e.w.emit(b); err != nil {
		return 0, err
	}
	return len(b), nil
}
