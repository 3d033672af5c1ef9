package inject

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// WorkerGuardName is the name of the guard's module below the gate's prefix.
const WorkerGuardName = "worker.js"

const (
	// workerLook is how much of a worker's script is buffered to find its first
	// statement.
	workerLook = 64 << 10
	// maxPackedWorker is the size limit of an encoded script that is decoded, and
	// maxWorker the size limit of its decoded form.
	maxPackedWorker = 8 << 20
	maxWorker       = 32 << 20
	// maxWorkerMemory limits what the encoded scripts of all responses, and their
	// decoded forms, take together.
	maxWorkerMemory = 128 << 20
	// maxZstdWindow is the limit of RFC 9659, beyond which browsers refuse a response.
	maxZstdWindow = 8 << 20
)

// workerMemory is the memory that all responses share.
var workerMemory = &memory{most: maxWorkerMemory}

// workerDecoders limits how many scripts are decoded at once, because each decoder
// has a window of up to 16 MB. Decoding waits for nothing else.
var workerDecoders = make(chan struct{}, 4)

//go:embed worker.js
var workerSource string

// The guard is inserted before the scripts of an app's service workers. A worker may
// answer every navigation from its cache. A launch link would then never reach the
// gate, and the user could not enter while the paid time runs. The guard registers its
// listeners first. It
//   - keeps launch links and the gate's own paths from the worker, so that browsers
//     send them to the network;
//   - asks the gate about the session when the worker has answered a navigation, and
//     sends the page to the network once the session is over;
//   - sends a navigation to the network that the worker has answered with a refusal of
//     the gate's, which it may have stored before a new session was bought;
//   - puts the clock into pages that the worker answers, unless injection is off;
//   - when it is installed over a worker that has no guard yet, takes over the pages
//     that a launch link had opened, and opens the link again.
//
// It changes with the gate's version only when its behavior does, because browsers
// install a worker again when a byte of its script differs.
var (
	guard            = buildGuard(false, false)
	guardWithClock   = buildGuard(true, false)
	guardReplacement = buildGuard(false, true)
)

// buildGuard puts the guard on one line, so that the line numbers of the script after
// it do not change.
func buildGuard(clock, replacement bool) []byte {
	source := strings.NewReplacer("__CLOCK__", strconv.FormatBool(clock), "__REPLACEMENT__", strconv.FormatBool(replacement),
		"\n", " ").Replace(strings.TrimSpace(workerSource))
	return []byte(source + " ")
}

// WorkerGuard returns the guard as a separate script, for modules. clock determines
// whether pages get the clock.
func WorkerGuard(clock bool) []byte {
	if clock {
		return guardWithClock
	}
	return guard
}

// ReplacementWorker returns a service worker that replaces an app's worker if that
// worker has answered a launch link. Otherwise its installation fails. It keeps the
// data that the app has stored. The app's own worker returns with its next update.
func ReplacementWorker() []byte { return guardReplacement }

// guardSuffix returns the suffix of ETags for scripts with the guard.
func guardSuffix(clock bool) string {
	sum := sha256.Sum256(WorkerGuard(clock))
	return "-sgw" + hex.EncodeToString(sum[:4])
}

// WorkerWriter inserts the guard before a service worker's script. It serves one
// response. A script that is too long or malformed passes unchanged, and so does an
// encoded one for which there is no memory left.
type WorkerWriter struct {
	rw          http.ResponseWriter
	clock       bool
	suffix      string
	revalidates bool

	state  workerState
	status int
	coding string
	held   []byte

	memory   *memory
	reserved int // how much of memory this response has
}

type workerState uint8

const (
	workerWaiting  workerState = iota // waiting for the header
	workerLooking                     // buffering until the first statement is found
	workerDecoding                    // buffering the whole script
	workerPassing
)

// WrapWorker prepares r for its origin and returns the writer to which the handler must
// respond. The caller owns r.Header. It must call Close when the handler has returned, or
// Abort if the handler failed.
func WrapWorker(w http.ResponseWriter, r *http.Request, clock bool) *WorkerWriter {
	h := r.Header
	// Workers are fetched rarely, so the origin need not compress them. Handlers that
	// compress responses after the gate still do so.
	h["Accept-Encoding"] = []string{"identity"}
	delete(h, "Range")
	delete(h, "If-Range")
	suffix := guardSuffix(clock)
	return &WorkerWriter{rw: w, clock: clock, suffix: suffix, revalidates: keepOwnValidators(h, suffix), memory: workerMemory}
}

// Header returns the response's header.
func (w *WorkerWriter) Header() http.Header { return w.rw.Header() }

// WriteHeader determines from the header whether the guard is inserted. The header of a
// script is sent with its first bytes, because its length depends on them.
func (w *WorkerWriter) WriteHeader(status int) {
	if w.state != workerWaiting {
		return
	}
	if status < 200 {
		w.rw.WriteHeader(status)
		return
	}
	w.status = status
	h := w.rw.Header()
	if status == http.StatusNotModified && w.revalidates {
		addSuffix(h, w.suffix)
	}
	addVary(h, "Service-Worker, Sec-Fetch-Dest")
	w.coding = strings.ToLower(strings.TrimSpace(strings.Join(h["Content-Encoding"], ",")))
	switch {
	case status != http.StatusOK || !isJavaScript(h):
		w.pass()
	case w.coding == "" || w.coding == "identity":
		w.state = workerLooking
	default:
		w.state = workerDecoding
	}
}

// isJavaScript reports whether h has a media type that browsers accept for a worker's
// script.
func isJavaScript(h http.Header) bool {
	media, _, _ := strings.Cut(strings.ToLower(first(h, "Content-Type")), ";")
	return strings.Contains(media, "javascript") || strings.Contains(media, "ecmascript")
}

// Write writes the next bytes of the script.
func (w *WorkerWriter) Write(p []byte) (int, error) {
	if w.state == workerWaiting {
		w.WriteHeader(http.StatusOK)
	}
	if w.state == workerPassing {
		return w.rw.Write(p)
	}
	w.held = append(w.held, p...)
	var err error
	switch {
	case w.state == workerLooking:
		if start, found := startOf(w.held, false); found || len(w.held) > workerLook {
			err = w.release(start, w.held, false)
		}
	case len(w.held) > maxPackedWorker || !w.reserve(len(p)):
		w.pass()
		_, err = w.rw.Write(w.held)
		w.Abort()
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close finishes a script whose handler returned without an error.
func (w *WorkerWriter) Close() error {
	if w.state == workerWaiting { // the handler wrote nothing
		w.WriteHeader(http.StatusOK)
	}
	defer w.Abort()
	held := w.held
	switch w.state {
	case workerLooking:
		start, _ := startOf(held, true)
		return w.release(start, held, false)
	case workerDecoding:
		script, err := w.decode()
		if err != nil {
			w.pass()
			_, err = w.rw.Write(held)
			return err
		}
		start, _ := startOf(script, true)
		return w.release(start, script, true)
	}
	return nil
}

// Abort releases the memory of a response whose handler failed. It may be called again,
// and after Close.
func (w *WorkerWriter) Abort() {
	w.held = nil
	w.memory.give(w.reserved)
	w.reserved = 0
}

// reserve takes n bytes of the shared memory. It reports whether there were as many.
func (w *WorkerWriter) reserve(n int) bool {
	if !w.memory.take(n) {
		return false
	}
	w.reserved += n
	return true
}

// release sends the guard and the buffered bytes.
func (w *WorkerWriter) release(start scriptStart, script []byte, decoded bool) error {
	h := w.rw.Header()
	dropBodyClaims(h)
	addSuffix(h, w.suffix)
	prefix := w.prefix(start)
	if decoded {
		delete(h, "Content-Encoding")
		h["Content-Length"] = []string{strconv.Itoa(len(prefix) + len(script))}
	} else {
		growLength(h, len(prefix))
	}
	w.pass()
	w.held = nil
	if _, err := w.rw.Write(prefix); err != nil {
		return err
	}
	if len(script) == 0 {
		return nil
	}
	_, err := w.rw.Write(script)
	return err
}

// prefix returns the bytes to insert before a script. For a module it is an import of
// the guard, because a module's imports are evaluated before its statements and may add
// listeners. If the script starts with a directive, the prefix repeats it, so that it
// stays the first statement.
func (w *WorkerWriter) prefix(start scriptStart) []byte {
	switch start {
	case startsWithImport:
		return []byte(`import "/.session-gate/` + WorkerGuardName + `"; `)
	case startsStrict:
		return append([]byte(`"use strict"; `), WorkerGuard(w.clock)...)
	}
	return WorkerGuard(w.clock)
}

func (w *WorkerWriter) pass() {
	w.state = workerPassing
	w.rw.WriteHeader(w.status)
}

// FlushError flushes what has been sent. It does not send buffered bytes.
func (w *WorkerWriter) FlushError() error {
	if w.state == workerWaiting {
		w.WriteHeader(http.StatusOK)
	}
	if w.state != workerPassing {
		return nil
	}
	return http.NewResponseController(w.rw).Flush()
}

// Flush is FlushError for handlers that use http.Flusher.
func (w *WorkerWriter) Flush() { _ = w.FlushError() }

// Unwrap returns the underlying writer for http.ResponseController.
func (w *WorkerWriter) Unwrap() http.ResponseWriter { return w.rw }

// decode decodes a script that an origin encoded although the request did not accept
// encodings.
func (w *WorkerWriter) decode() ([]byte, error) {
	workerDecoders <- struct{}{}
	defer func() { <-workerDecoders }()
	var from io.Reader = bytes.NewReader(w.held)
	var err error
	switch w.coding {
	case "gzip", "x-gzip":
		from, err = gzip.NewReader(from)
	case "deflate":
		from, err = zlib.NewReader(from)
	case "br":
		from = brotli.NewReader(from)
	case "zstd":
		var decoder *zstd.Decoder
		if decoder, err = zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxWorker), zstd.WithDecoderMaxWindow(maxZstdWindow)); err == nil {
			defer decoder.Close()
			from = decoder
		}
	default:
		return nil, http.ErrNotSupported
	}
	if err != nil {
		return nil, err
	}
	script, err := io.ReadAll(io.LimitReader(reservingReader{from, w}, maxWorker+1))
	if err == nil && len(script) > maxWorker {
		err = http.ErrContentLength
	}
	return script, err
}

// reservingReader reserves memory for what is read from it.
type reservingReader struct {
	from io.Reader
	w    *WorkerWriter
}

func (r reservingReader) Read(p []byte) (n int, err error) {
	n, err = r.from.Read(p)
	if !r.w.reserve(n) {
		return 0, errNoMemory
	}
	return n, err
}

var errNoMemory = errors.New("too many encoded worker scripts are being sent at the same time")

// memory is an amount of memory that responses share.
type memory struct {
	used atomic.Int64
	most int64
}

// take reserves n bytes and reports whether there were as many.
func (m *memory) take(n int) bool {
	if m.used.Add(int64(n)) > m.most {
		m.give(n)
		return false
	}
	return true
}

func (m *memory) give(n int) { m.used.Add(int64(-n)) }

// Interface guards
var (
	_ http.ResponseWriter = (*WorkerWriter)(nil)
	_ http.Flusher        = (*WorkerWriter)(nil)
)
