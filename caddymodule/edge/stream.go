package edge

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	// streamSilence is how long the stream may be silent before it is closed and
	// opened again. The backend sends its time every 2 s.
	streamSilence = 7 * time.Second
	streamLineMax = 256 << 10
	streamBuffer  = 64 << 10
)

// errNoFilter is returned by a backend that cannot limit a stream to some providers.
var errNoFilter = errors.New("the backend does not limit event streams to providers; reading that of all")

// stream is one connection over which the backend tells of changes.
type stream struct {
	f      *follower
	want   wanted
	legacy bool // of all changes, from a backend that has no other
	cancel context.CancelFunc
	opened chan struct{} // closed after the first event
	ended  chan struct{} // closed after err is set
	err    error

	mu     sync.Mutex // guards lastID
	lastID []byte
}

// open opens a stream after the event lastID and reads it to its end, in the background.
func (f *follower) open(ctx context.Context, want wanted, legacy bool, lastID string) *stream {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{
		f: f, want: want, legacy: legacy, cancel: cancel, opened: make(chan struct{}), ended: make(chan struct{}), lastID: []byte(lastID),
	}
	if legacy {
		s.want.all = true
	}
	go func() {
		defer close(s.ended)
		defer cancel()
		s.err = s.follow(ctx, lastID)
	}()
	return s
}

// position is the id of the last event.
func (s *stream) position() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.lastID)
}

// isOpen reports whether an event has arrived.
func (s *stream) isOpen() bool {
	select {
	case <-s.opened:
		return true
	default:
		return false
	}
}

func (s *stream) request(ctx context.Context, lastID string) (*http.Request, error) {
	backend := s.f.backend
	method, body := http.MethodGet, io.Reader(nil)
	if !s.legacy {
		ask, err := json.Marshal(protocol.StreamRequest{Providers: s.want.list()})
		if err != nil {
			return nil, err
		}
		method, body = http.MethodPost, bytes.NewReader(ask)
	}
	req, err := http.NewRequestWithContext(ctx, method, backend.url(protocol.EdgeEvents), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+backend.key)
	req.Header.Set("Accept", "text/event-stream")
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	return req, nil
}

// follow opens the stream and reads it to its end.
func (s *stream) follow(ctx context.Context, lastID string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(streamSilence, cancel)
	defer silence.Stop()
	req, err := s.request(ctx, lastID)
	if err != nil {
		return fmt.Errorf("opening event stream: %w", err)
	}
	resp, err := s.f.backend.client.Do(req)
	if err != nil {
		return fmt.Errorf("opening event stream: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		if !s.legacy && lacksFilter(resp.StatusCode) {
			return fmt.Errorf("%w: it answered %s", errNoFilter, resp.Status)
		}
		return fmt.Errorf("opening event stream: the backend answered %s%s", resp.Status, keyTrouble(resp.StatusCode))
	}
	silence.Reset(streamSilence) // for the first event, whatever else comes before it
	sound := &soundReader{stream: s, body: resp.Body, silence: silence}
	return s.read(bufio.NewReaderSize(sound, streamBuffer), lastID == "", silence)
}

// lacksFilter reports whether a backend that gives this answer has no stream for some
// providers, or refuses what it is asked for.
func lacksFilter(status int) bool {
	switch status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented,
		http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// read reads events to the end of the stream. fresh says that it resumes no other. silence
// ends the stream when it fires.
func (s *stream) read(r *bufio.Reader, fresh bool, silence *time.Timer) error {
	var ev event
	for {
		line, err := readLine(r)
		if err != nil {
			return fmt.Errorf("reading event stream: %w", err)
		}
		if len(line) > 0 {
			ev.line(line)
			continue
		}
		if err := s.dispatch(&ev); err != nil {
			return err
		}
		if (len(ev.name) > 0 || ev.hasID) && !s.isOpen() {
			if fresh {
				// Whatever changed between the first question about a session and this
				// moment went unheard.
				s.f.onReset()
			}
			close(s.opened)
			silence.Reset(streamSilence)
		}
		ev.clear()
	}
}

func (s *stream) dispatch(ev *event) error {
	switch string(ev.name) {
	case protocol.StreamState:
		if err := s.f.onState(ev.data); err != nil {
			return fmt.Errorf("reading event stream: %w", err)
		}
	case protocol.StreamSite:
		if err := s.f.onSite(ev.data); err != nil { // the next ones may be sound
			s.f.logger.Warn("an event with site settings is left out", zap.Error(err))
		}
	case protocol.StreamReset:
		s.f.onReset()
	}
	if ev.hasID {
		s.mu.Lock()
		s.lastID = append(s.lastID[:0], ev.id...)
		s.mu.Unlock()
	}
	return nil
}

// soundReader notes when something arrives.
type soundReader struct {
	stream  *stream
	body    io.Reader
	silence *time.Timer
}

// Read implements [io.Reader].
func (r *soundReader) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	if n > 0 && r.stream.isOpen() {
		r.silence.Reset(streamSilence)
		r.stream.f.heardAt.Store(MonotonicMS())
	}
	return n, err
}

// event is a server-sent event in the making (HTML standard §9.2.6). Its fields are
// overwritten by the next one.
type event struct {
	name  []byte
	id    []byte
	hasID bool
	data  []byte
}

func (e *event) clear() {
	e.name, e.id, e.data, e.hasID = e.name[:0], e.id[:0], e.data[:0], false
}

func (e *event) line(line []byte) {
	field, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(field) {
	case "event":
		e.name = append(e.name[:0], value...)
	case "data":
		if len(e.data) > 0 {
			e.data = append(e.data, '\n')
		}
		e.data = append(e.data, value...)
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			e.id, e.hasID = append(e.id[:0], value...), true
		}
	}
}

// readLine returns the next line without its end. It refuses one that is
// longer than any event of ours.
func readLine(r *bufio.Reader) ([]byte, error) {
	var long []byte
	for {
		part, err := r.ReadSlice('\n')
		if err == nil && long == nil {
			return bytes.TrimRight(part, "\r\n"), nil
		}
		long = append(long, part...)
		if err == nil {
			return bytes.TrimRight(long, "\r\n"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if len(long) > streamLineMax {
			return nil, errors.New("line is too long")
		}
	}
}

// keyTrouble explains a status that is caused by the edge's key; "" for others.
func keyTrouble(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return ": edge_key is unknown or revoked; create a key with `sessiongate apikey create --role edge`"
	case http.StatusForbidden:
		return ": edge_key has another role; it must have the role edge"
	}
	return ""
}
