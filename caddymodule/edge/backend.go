package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	callTimeout   = 5 * time.Second
	maxAnswerSize = 16 << 20 // a full heartbeats answer: 10,000 states
)

// ErrBackendDown is returned when the backend cannot be reached or answers with a
// server error. Any other refusal is a [*protocol.Problem].
var ErrBackendDown = errors.New("backend is unavailable")

// errNoEndpoint is returned, with [ErrBackendDown], when the backend answered 404
// and not as our API does.
var errNoEndpoint = errors.New("it answered 404 Not Found")

// lacksEndpoint reports whether err says that the backend has no such endpoint.
func lacksEndpoint(err error) bool {
	problem, ok := errors.AsType[*protocol.Problem](err)
	return errors.Is(err, errNoEndpoint) || ok && problem.Code == protocol.NotFound
}

// BackendClient calls the backend's API with the edge's key.
type BackendClient struct {
	base   *url.URL
	key    string
	client *http.Client
	clock  *Clock
	calls  *prometheus.HistogramVec // by what is asked
	// How long a call may take, and a request may wait for one.
	timeout time.Duration
}

func newBackendClient(base *url.URL, key string, c *Clock) *BackendClient {
	transport := &http.Transport{
		// The backend is the operator's own: a proxy from the environment would
		// be shown the edge key.
		Proxy:                 nil,
		DialContext:           (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   3 * time.Second,
		ResponseHeaderTimeout: callTimeout,
		MaxIdleConnsPerHost:   32,
		IdleConnTimeout:       90 * time.Second,
		ForceAttemptHTTP2:     true,
	}
	return &BackendClient{base: base, key: key, clock: c, timeout: callTimeout, client: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (b *BackendClient) url(path string) string { return b.base.JoinPath(path).String() }

// Launch redeems a launch token.
func (b *BackendClient) Launch(ctx context.Context, req *protocol.LaunchRequest) (*protocol.LaunchAnswer, error) {
	var out protocol.LaunchAnswer
	asked := time.Now()
	if err := b.call(ctx, "launch", http.MethodPost, protocol.EdgeLaunch, b.key, "", req, &out); err != nil {
		return nil, fmt.Errorf("redeeming launch token: %w", err)
	}
	b.clock.observe(asked, time.Now(), out.ServerTimeMS)
	return &out, nil
}

// heartbeats reports beats and returns the states that changed.
func (b *BackendClient) heartbeats(ctx context.Context, req *protocol.HeartbeatsRequest) (*protocol.HeartbeatsAnswer, error) {
	var out protocol.HeartbeatsAnswer
	asked := time.Now()
	if err := b.call(ctx, "heartbeats", http.MethodPost, protocol.EdgeHeartbeats, b.key, "", req, &out); err != nil {
		return nil, fmt.Errorf("sending heartbeats: %w", err)
	}
	b.clock.observe(asked, time.Now(), out.ServerTimeMS)
	return &out, nil
}

// purposeKey is the key of a context's [protocol.HeaderPurpose].
type purposeKey struct{}

// host finds the provider of a domain.
func (b *BackendClient) host(ctx context.Context, host string, certificate bool) (*protocol.HostAnswer, error) {
	var out protocol.HostAnswer
	if certificate {
		ctx = context.WithValue(ctx, purposeKey{}, protocol.PurposeCertificate)
	}
	if err := b.call(ctx, "host", http.MethodGet, protocol.EdgeHosts+url.PathEscape(host), b.key, "", nil, &out); err != nil {
		return nil, fmt.Errorf("looking up host: %w", err)
	}
	return &out, nil
}

// states asks for the live states of sessions.
func (b *BackendClient) states(ctx context.Context, ids ...string) (*protocol.StatesAnswer, error) {
	var out protocol.StatesAnswer
	asked := time.Now()
	if err := b.call(ctx, "states", http.MethodPost, protocol.EdgeStates, b.key, "", &protocol.StatesRequest{IDs: ids}, &out); err != nil {
		return nil, fmt.Errorf("fetching live states: %w", err)
	}
	b.clock.observe(asked, time.Now(), out.ServerTimeMS)
	return &out, nil
}

// actionAnswer is what the backend answers to an action. Session is a
// [protocol.LiveState] and more.
type actionAnswer struct {
	Session      protocol.LiveState `json:"session"`
	ServerTimeMS int64              `json:"server_time_ms"`
}

// act performs a session's own action with its token, as the user's page asked.
func (b *BackendClient) act(ctx context.Context, id, action, sessionToken, idempotencyKey string, body json.RawMessage) (*actionAnswer, error) {
	path := protocol.Sessions + "/" + url.PathEscape(id) + "/" + action
	var in any
	if len(body) > 0 {
		in = body
	}
	var out actionAnswer
	asked := time.Now()
	if err := b.call(ctx, action, http.MethodPost, path, sessionToken, idempotencyKey, in, &out); err != nil {
		return nil, err
	}
	b.clock.observe(asked, time.Now(), out.ServerTimeMS)
	return &out, nil
}

func (b *BackendClient) call(ctx context.Context, name, method, path, bearer, idempotencyKey string, in, out any) (err error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	ctx, endSpan := traceCall(ctx, name)
	defer func() { endSpan(err) }()
	var body io.Reader
	if in != nil {
		buf, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encoding request: %w", err)
		}
		body = bytes.NewReader(buf)
	}
	req, err := http.NewRequestWithContext(ctx, method, b.url(path), body)
	if err != nil {
		return fmt.Errorf("making request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Accept", "application/json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if idempotencyKey != "" {
		req.Header.Set(protocol.HeaderIdempotencyKey, idempotencyKey)
	}
	if purpose, ok := ctx.Value(purposeKey{}).(string); ok {
		req.Header.Set(protocol.HeaderPurpose, purpose)
	}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(req.Header))
	began := time.Now()
	defer func() { b.calls.WithLabelValues(name).Observe(time.Since(began).Seconds()) }()
	resp, err := b.client.Do(req)
	if err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, context.Canceled) {
			return cause
		}
		// The transport's error names the URL, which holds nothing secret.
		return fmt.Errorf("%w: %w", ErrBackendDown, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerSize))
	if err != nil {
		return fmt.Errorf("%w: reading answer: %w", ErrBackendDown, err)
	}
	if resp.StatusCode >= 300 {
		return problemOf(resp, answer)
	}
	if out == nil || len(answer) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%w: answer is not JSON: %w", ErrBackendDown, err)
	}
	return nil
}

// problemOf turns a refusal into the problem it carries, or into
// [ErrBackendDown] where no refusal of ours is recognized in it.
func problemOf(resp *http.Response, body []byte) error {
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	var p protocol.Problem
	known := (media == protocol.ProblemType || media == "application/json") && json.Unmarshal(body, &p) == nil && p.Code != ""
	p.Status = resp.StatusCode
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		p.RetryAfter = seconds
	}
	switch {
	case known && resp.StatusCode < 500:
		return &p
	case known:
		return fmt.Errorf("%w: %w", ErrBackendDown, &p)
	case resp.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%w: %w", ErrBackendDown, errNoEndpoint)
	case p.RetryAfter > 0 && (resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable):
		// A load balancer before the backend says when to come back.
		return fmt.Errorf("%w: it answered %s: %w", ErrBackendDown, resp.Status, &protocol.Problem{Status: resp.StatusCode, Code: protocol.Unavailable, RetryAfter: p.RetryAfter})
	}
	return fmt.Errorf("%w: it answered %s", ErrBackendDown, resp.Status)
}

// RedeemCode is why a launch is refused that could not be redeemed.
func RedeemCode(err error) protocol.Code {
	var problem *protocol.Problem
	if errors.Is(err, ErrBackendDown) || !errors.As(err, &problem) {
		return protocol.BackendUnavailable
	}
	switch problem.Code {
	case protocol.LaunchSpent, protocol.SessionExpired, protocol.SessionCompleted, protocol.SessionRevoked,
		protocol.SessionCanceled, protocol.WrongProvider, protocol.LaunchExpired, protocol.SessionPaused, protocol.InMaintenance:
		return problem.Code
	case protocol.Unauthorized, protocol.Forbidden, protocol.RateLimited, // this edge's own trouble, not the user's
		protocol.BackendUnavailable: // the edge admits no more while the backend is down
		return protocol.BackendUnavailable
	}
	return protocol.LaunchInvalid
}

const tracerName = "github.com/sessiongate/sessiongate/caddymodule"

// Traces begin with Caddy's own tracing directive. Each call to the backend for a
// request becomes a span of that request's trace, which the backend continues.
// Without the directive, tracing costs one look-up in the context.

// traceCall begins the span of one call to the backend; end records its result.
// The span names the call and never the session.
func traceCall(ctx context.Context, name string) (traced context.Context, end func(error)) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, func(error) {}
	}
	ctx, span := parent.TracerProvider().Tracer(tracerName).Start(ctx, "session_gate "+name, trace.WithSpanKind(trace.SpanKindClient))
	return ctx, func(err error) {
		if p, ok := errors.AsType[*protocol.Problem](err); ok {
			span.SetAttributes(attribute.String("session_gate.code", string(p.Code)))
		} else if err != nil {
			span.SetStatus(codes.Error, "backend did not respond")
		}
		span.End()
	}
}

// sampleLife is how long the best clock sample is preferred to newer ones.
const sampleLife = time.Minute

// clockStep is a difference in ms that is no contradiction: clocks drift, and
// answers are stamped a little before they leave.
const clockStep = 250

// Clock tells the backend's time. Deadlines are the backend's, so the edge
// judges by its clock, measured, and counts on monotonic time in between: a
// wrong or jumping clock on this machine moves no deadline.
type Clock struct {
	best atomic.Pointer[clockSample]
}

// clockSample says that at the local moment at the backend's clock showed serverMS,
// give or take half of rtt.
type clockSample struct {
	at       time.Time // carries a monotonic reading
	serverMS int64
	rtt      time.Duration
}

// observe takes one answer of the backend into account: asked and answered are
// when the request left and its answer came.
func (c *Clock) observe(asked, answered time.Time, serverMS int64) {
	if serverMS <= 0 {
		return
	}
	rtt := answered.Sub(asked)
	s := &clockSample{at: asked.Add(rtt / 2), serverMS: serverMS, rtt: rtt}
	best := c.best.Load()
	if best == nil || rtt <= best.rtt || answered.Sub(best.at) > sampleLife || best.contradicts(s) {
		c.best.Store(s)
	}
}

// contradicts reports that no time of the backend's lies within the bounds of
// both: its clock was set, or this machine stood still and its own did too.
func (s *clockSample) contradicts(newer *clockSample) bool {
	off := newer.serverMS - s.serverMS - newer.at.Sub(s.at).Milliseconds()
	return max(off, -off) > (s.rtt+newer.rtt).Milliseconds()/2+clockStep
}

// NowMS is the backend's time in Unix milliseconds; this machine's own until
// the backend has answered once.
func (c *Clock) NowMS() int64 {
	s := c.best.Load()
	if s == nil {
		return time.Now().UnixMilli()
	}
	return s.serverMS + time.Since(s.at).Milliseconds()
}

// processStart is when this process started, with a monotonic reading.
var processStart = time.Now()

// MonotonicMS counts milliseconds since this process started.
func MonotonicMS() int64 { return time.Since(processStart).Milliseconds() }
