package edge

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	// streamSilence is how long the stream may be silent before it is closed and
	// opened again. The backend sends its time every 2 s.
	streamSilence  = 7 * time.Second
	streamLineMax  = 256 << 10
	streamRetryMin = 100 * time.Millisecond
	streamRetryMax = 2 * time.Second
)

// follower follows the backend's live-state changes over server-sent events, for
// as long as its edge lives, resuming where it left off.
type follower struct {
	backend *BackendClient
	logger  *zap.Logger
	// onState takes a changed state; onReset says that changes may have been
	// missed and every state must be confirmed anew.
	onState func(*protocol.LiveState)
	onReset func()

	lastID    string       // used by run alone
	heardAt   atomic.Int64 // monotonic ms of the last line; 0 before the first
	connected atomic.Bool
}

// run follows the stream until ctx ends.
func (s *follower) run(ctx context.Context) {
	wait := streamRetryMin
	for ctx.Err() == nil {
		began := time.Now()
		err := s.follow(ctx)
		s.connected.Store(false)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > streamSilence {
			wait = streamRetryMin
		}
		s.logger.Warn("event stream ended; reconnecting", zap.Error(err), zap.Duration("in", wait))
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait + rand.N(wait)):
		}
		wait = min(wait*2, streamRetryMax)
	}
}

// follow opens the stream once and reads it to its end.
func (s *follower) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(streamSilence, cancel)
	defer silence.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.backend.url(protocol.EdgeEvents), nil)
	if err != nil {
		return fmt.Errorf("opening event stream: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+s.backend.key)
	req.Header.Set("Accept", "text/event-stream")
	if s.lastID != "" {
		req.Header.Set("Last-Event-ID", s.lastID)
	}
	resp, err := s.backend.client.Do(req)
	if err != nil {
		return fmt.Errorf("opening event stream: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return fmt.Errorf("opening event stream: the backend answered %s%s", resp.Status, keyTrouble(resp.StatusCode))
	}
	if s.lastID == "" {
		// Whatever changed between the first question about a session and this
		// moment went unheard.
		s.onReset()
	}
	s.heardAt.Store(MonotonicMS())
	s.connected.Store(true)
	s.logger.Info("event stream connected")

	r := bufio.NewReaderSize(resp.Body, 16<<10)
	var ev event
	for {
		line, err := readLine(r)
		if err != nil {
			return fmt.Errorf("reading event stream: %w", err)
		}
		silence.Reset(streamSilence)
		s.heardAt.Store(MonotonicMS())
		if len(line) > 0 {
			ev.line(line)
			continue
		}
		if err := s.dispatch(&ev); err != nil {
			return err
		}
		ev = event{}
	}
}

func (s *follower) dispatch(ev *event) error {
	switch ev.name {
	case protocol.StreamState:
		var st protocol.LiveState
		if err := json.Unmarshal(ev.data, &st); err != nil || st.ID == "" {
			return errors.New("reading event stream: malformed state")
		}
		s.onState(&st)
	case protocol.StreamReset:
		s.onReset()
	}
	if ev.hasID {
		s.lastID = ev.id
	}
	return nil
}

// event is a server-sent event in the making (HTML standard §9.2.6).
type event struct {
	name  string
	id    string
	hasID bool
	data  []byte
}

func (e *event) line(line []byte) {
	field, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(field) {
	case "event":
		e.name = string(value)
	case "data":
		if len(e.data) > 0 {
			e.data = append(e.data, '\n')
		}
		e.data = append(e.data, value...)
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			e.id, e.hasID = string(value), true
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
