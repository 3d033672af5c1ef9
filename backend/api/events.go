package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	streamTimeEvery    = 2 * time.Second
	streamWriteTimeout = 10 * time.Second
)

// maxStreamBody is the size of the largest [protocol.StreamRequest], and some more.
const maxStreamBody = 512 << 10

// streamChunk is how many bytes are gathered before they are written.
const streamChunk = 64 << 10

// routeEvents adds the stream of changes: of all, and of some providers.
func (a *api) routeEvents() {
	operation := func(method, id, summary string) huma.Operation {
		op := route{
			method: method, path: protocol.EdgeEvents, id: id, tag: "Edge", summary: summary,
			roles: []service.Role{service.RoleEdge}, errors: []int{503}, maxBody: maxStreamBody,
		}.operation(a)
		op.Description += " Events: state (a LiveState), site (a SiteState), reset (read every state and site again), time (at once, and then every 2 s)."
		op.Responses["200"] = &huma.Response{Description: "A stream of server-sent events", Content: map[string]*huma.MediaType{
			"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}},
		}}
		return op
	}
	huma.Register(a.huma, operation(http.MethodGet, "edge-events", "Stream changes of live states and site settings as server-sent events; resumable"),
		func(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
			return a.events(ctx, in.LastEventID, nil)
		})
	some := operation(http.MethodPost, "edge-events-of-providers", "Stream the changes of live states and site settings of some providers as server-sent events; resumable")
	some.Description += " The stream has the changes of providers alone, or of all providers if the list is absent or empty. Each id has at most 128 bytes."
	huma.Register(a.huma, some, func(ctx context.Context, in *eventsOfInput) (*huma.StreamResponse, error) {
		var providers []string
		if in.Body != nil {
			providers = in.Body.Providers
		}
		for i, id := range providers {
			if id == "" || len(id) > protocol.MaxProviderID {
				return nil, refusedField(fmt.Sprintf("body.providers[%d]", i), "expected an id of 1 to 128 bytes")
			}
		}
		return a.events(ctx, in.LastEventID, providers)
	})
}

type eventsInput struct {
	LastEventID string `header:"Last-Event-ID" maxLength:"64" doc:"Resumes the stream after this event"`
}

type eventsOfInput struct {
	LastEventID string `header:"Last-Event-ID" maxLength:"64" doc:"Resumes the stream after this event, which may be one of another provider"`
	Body        *protocol.StreamRequest
}

// events streams live-state changes until the edge disconnects or the service stops.
// A stream without Last-Event-ID begins with a reset, since the states that the edge
// holds may be stale.
func (a *api) events(ctx context.Context, lastID string, providers []string) (*huma.StreamResponse, error) {
	sub, err := a.s.Subscribe(lastID, providers...)
	if err != nil {
		return nil, a.answerOf(ctx, err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(a.Stopping, cancel)()
		a.metric.streams.Inc()
		defer a.metric.streams.Dec()
		h := w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no") // keeps nginx from buffering events
		control := http.NewResponseController(w)
		// Clear the server's read timeout, which would end the stream.
		_ = control.SetReadDeadline(time.Time{}) // the error only says that w has no deadlines
		w.WriteHeader(http.StatusOK)
		a.stream(ctx, &eventWriter{w: w, control: control}, sub, func() bool {
			// Edges stay connected while the database is unavailable.
			_, err := a.authorize(r, []service.Role{service.RoleEdge}, service.OwnBudget)
			return err == nil || problemOf(err).Status/100 == 5 || problemOf(err).Status == http.StatusTooManyRequests
		})
	}}, nil
}

// stream writes events until the edge disconnects, the change stream is down, or
// authorized returns false. It calls authorized every streamTimeEvery.
func (a *api) stream(ctx context.Context, out *eventWriter, sub *service.Subscription, authorized func() bool) {
	next := time.Now() // at once, so that the edge knows the clock of the service
	for {
		position, ok := streamUntil(ctx, next, out, sub)
		if !ok || !authorized() {
			return
		}
		out.begin()
		out.add(position, protocol.StreamTime, fmt.Sprintf(`{"server_time_ms":%d}`, a.Now().UnixMilli()))
		if out.flush() != nil {
			return
		}
		next = time.Now().Add(streamTimeEvery)
	}
}

// streamUntil writes events until a time, and returns the position in the stream. ok is
// false if the stream has ended.
func streamUntil(ctx context.Context, end time.Time, out *eventWriter, sub *service.Subscription) (position string, ok bool) {
	wait, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	for {
		batch, err := sub.Next(wait)
		// End the response if the change stream is down, so that the edge polls.
		if ctx.Err() != nil || errors.Is(err, service.ErrStreamDown) {
			return "", false
		}
		if batch.Reset || len(batch.Events) > 0 {
			out.begin()
			if batch.Reset {
				out.add(batch.ID, protocol.StreamReset, "{}")
			}
			for _, e := range batch.Events {
				out.frame(e.Frame)
			}
			if out.flush() != nil {
				return "", false // the edge has disconnected
			}
		}
		if err != nil || !time.Now().Before(end) {
			return batch.ID, true
		}
	}
}

// eventWriter writes server-sent events in batches.
type eventWriter struct {
	w       io.Writer
	control *http.ResponseController
	buf     []byte
	err     error // of the first write that failed
}

// begin allows the next batch its time.
func (e *eventWriter) begin() {
	if err := e.control.SetWriteDeadline(time.Now().Add(streamWriteTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		e.err = err
	}
}

// add adds an event.
func (e *eventWriter) add(id, name, data string) {
	e.frame(fmt.Appendf(nil, "id: %s\nevent: %s\ndata: %s\n\n", id, name, data))
}

// frame adds an event that is formatted already.
func (e *eventWriter) frame(frame []byte) {
	if len(e.buf)+len(frame) > streamChunk {
		e.write()
	}
	e.buf = append(e.buf, frame...)
}

// write writes what was added.
func (e *eventWriter) write() {
	if e.err == nil && len(e.buf) > 0 {
		_, e.err = e.w.Write(e.buf)
	}
	e.buf = e.buf[:0]
}

// flush sends what was added to the edge.
func (e *eventWriter) flush() error {
	e.write()
	if e.err != nil {
		return e.err
	}
	return e.control.Flush()
}
