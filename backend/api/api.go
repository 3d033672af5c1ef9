// Package api is the HTTP API of the session service: routes, authentication, errors as
// problems, and the OpenAPI document. Decisions belong to package service. This package
// does not access the database.
package api

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	maxBody      = 64 << 10
	maxBeatsBody = 4 << 20 // 10,000 beats

	maxStatesBody = 256 << 10 // [protocol.MaxStates] ids
)

// Options configures the API.
type Options struct {
	// The API's public URL. It begins with https:// if browsers connect over TLS.
	Issuer string
	Now    func() time.Time
	Log    *zap.Logger
	// Receives spans. Nil means that no spans are recorded.
	Traces trace.TracerProvider
	// Proxies whose X-Forwarded-For is trusted.
	Trusted []netip.Prefix
	// Ends when streams must end.
	Stopping context.Context
}

// api serves the HTTP API: it authenticates callers and maps errors to responses.
type api struct {
	Options
	s      *service.Service
	metric httpMetrics
	mux    *http.ServeMux
	huma   huma.API
	// Patterns that pages of other origins may call; see [api.crossOrigin].
	fromPages map[string]bool
}

// NewHandler returns the HTTP API of s and its OpenAPI document.
func NewHandler(s *service.Service, o Options) (http.Handler, *huma.OpenAPI) {
	config := huma.DefaultConfig("Sessiongate", "1.0.0")
	config.Info.Description = "Sells timed sessions in web apps, accounts for their tokens in a ledger, and ends them on time."
	config.Info.License = &huma.License{Name: "MIT", Identifier: "MIT"}
	config.Servers = []*huma.Server{{URL: o.Issuer, Description: "This service"}}
	config.CreateHooks = nil // no $schema in bodies
	config.Transformers = []huma.Transformer{ownProblems}
	config.DocsPath, config.SchemasPath = "", ""
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"apiKey":  {Type: "http", Scheme: "bearer", Description: "An API key (sg_mkt_…, sg_prv_…, sg_edge_… or sg_adm_…), created with `sessiongate apikey create`."},
		"signIn":  {Type: "apiKey", In: "cookie", Name: o.cookieName(signInCookie), Description: "The cookie of a browser that signed in at /auth/."},
		"session": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The session's launch or session token."},
	}
	mux := http.NewServeMux()
	a := &api{
		Options: o, s: s, metric: newHTTPMetrics(s.Registry()), mux: mux, huma: humago.New(mux, config),
		fromPages: map[string]bool{},
	}
	a.routeSessions()
	a.routeSessionActions()
	a.routeAdvance()
	a.routeMarketplaces()
	a.routeProviders()
	a.routeGuests()
	a.routePasses()
	a.routeAnalytics()
	a.routeWebhooks()
	a.routeUsers()
	a.routePrivacy()
	a.routePeople()
	a.routeSignIn()
	a.routeEdge()
	a.routeKeys()
	a.routeAdmin()
	a.routeAPIKeys()
	a.routeReports()
	a.routeChecks()
	a.routeDomains()
	a.routeOperations()
	document := a.huma.OpenAPI()
	// huma's own error bodies, which are never sent.
	delete(document.Components.Schemas.Map(), "ErrorModel")
	delete(document.Components.Schemas.Map(), "ErrorDetail")
	addMessages(document)
	addExamples(document)
	return a.frame(), document
}

// route describes one endpoint, for the router and the OpenAPI document.
type route struct {
	method, path string
	id           string // operation id
	summary      string
	tag          string
	roles        []service.Role // who may call; empty: everyone
	status       int            // of success; 0: 200
	errors       []int          // in addition to 401, 403 and 422
	maxBody      int64          // 0: maxBody
	budget       service.Budget // of its callers' requests
	expensive    bool           // reads many rows: few run at once
	test         bool           // test keys may call it: it shows and changes test sessions alone then
}

func (r route) operation(a *api) huma.Operation {
	op := huma.Operation{
		Method: r.method, Path: r.path, OperationID: r.id, Summary: r.summary, Tags: []string{r.tag},
		DefaultStatus: r.status, MaxBodyBytes: maxBody, BodyReadTimeout: 10 * time.Second,
	}
	// Do not use op.Errors: those responses would have huma's own error body.
	refused := func() map[string]*huma.MediaType {
		return map[string]*huma.MediaType{
			protocol.ProblemType: {Schema: a.huma.OpenAPI().Components.Schemas.Schema(typeOf[problem](), true, "")},
		}
	}
	op.Responses = map[string]*huma.Response{"default": {Description: "Error", Content: refused()}}
	statuses := append([]int{http.StatusUnprocessableEntity, http.StatusInternalServerError}, r.errors...)
	if r.expensive {
		statuses = append(statuses, http.StatusTooManyRequests)
	}
	if len(r.roles) > 0 {
		statuses = append(statuses, http.StatusUnauthorized, http.StatusForbidden)
	}
	for _, status := range statuses {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status), Content: refused()}
	}
	if r.maxBody != 0 {
		op.MaxBodyBytes = r.maxBody
	}
	if len(r.roles) == 0 || slices.Contains(r.roles, service.RoleSession) {
		a.fromPages[r.method+" "+r.path] = true
	}
	if len(r.roles) == 0 {
		op.Security = []map[string][]string{{}} // no authentication
	}
	if len(r.roles) == 0 && r.tag != "Operations" {
		op.Middlewares = huma.Middlewares{a.limitAddress}
	}
	if len(r.roles) > 0 {
		op.Middlewares = huma.Middlewares{a.authenticate(r.roles, r.budget)}
		if !r.test {
			op.Middlewares = append(op.Middlewares, a.refuseTestKeys)
		}
		var who []string
		for _, role := range r.roles {
			who = append(who, string(role))
			scheme := "apiKey"
			if role == service.RoleSession || role == service.RoleLaunch {
				scheme = "session"
			}
			if need := map[string][]string{scheme: {}}; !slices.ContainsFunc(op.Security, func(m map[string][]string) bool { return m[scheme] != nil }) {
				op.Security = append(op.Security, need)
			}
		}
		if slices.Contains(r.roles, service.RoleProvider) || slices.Contains(r.roles, service.RoleAdmin) {
			op.Security = append(op.Security, map[string][]string{"signIn": {}})
		}
		op.Description = "Callers: " + strings.Join(who, ", ") + "."
		if r.test {
			op.Description += " Test keys, too."
		}
	}
	op.Middlewares = append(op.Middlewares, a.knownQuery) // after authentication
	if r.expensive {
		op.Middlewares = append(op.Middlewares, a.makeRoom)
	}
	return op
}

// register adds an endpoint whose errors are mapped to responses by [problemOf].
func register[I, O any](a *api, r route, handle func(context.Context, *I) (*O, error)) {
	huma.Register(a.huma, r.operation(a), func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, a.answerOf(ctx, err)
		}
		return out, nil
	})
}

// answerOf returns the problem for err and logs err, which may hold details that
// the caller must not see.
func (a *api) answerOf(ctx context.Context, err error) error {
	p := problemOf(err)
	a.logRefusal(ctx, p, err)
	return p
}

func (a *api) logRefusal(ctx context.Context, p *problem, err error) {
	if p.Status >= 500 {
		a.Log.Error("request failed", zap.String("request_id", requestID(ctx)), zap.String("code", string(p.Code)), zap.Error(err))
		return
	}
	a.Log.Debug("request refused", zap.String("request_id", requestID(ctx)), zap.String("code", string(p.Code)), zap.Error(err))
}

// frame wraps the endpoints. It adds a request id, a log line and metrics, answers
// unknown paths, and recovers from panics.
func (a *api) frame() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		id := r.Header.Get(protocol.HeaderRequestID)
		if !goodRequestID(id) {
			id = strings.ToLower(rand.Text())
		}
		w.Header().Set(protocol.HeaderRequestID, id)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if w.Header().Get("Cache-Control") == "" {
			w.Header().Set("Cache-Control", "no-store")
		}
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey, id))
		r, endSpan := a.trace(r)
		rec := &recorder{ResponseWriter: w}
		defer func() {
			if cause := recover(); cause != nil && !aborted(cause) {
				a.Log.Error("request panicked", zap.String("request_id", id), zap.Any("cause", cause), zap.ByteString("stack", debug.Stack()))
				if rec.status == 0 {
					newProblem(protocol.Internal, "Internal error.").write(rec)
				}
			}
			a.logRequest(r, rec, id, time.Since(begun))
			endSpan(routeOf(r), max(rec.status, http.StatusOK))
		}()
		keepDots(r)
		if a.crossOrigin(rec, r) {
			return
		}
		if _, pattern := a.mux.Handler(r); pattern == "" {
			a.notRouted(rec, r)
			return
		}
		a.mux.ServeHTTP(rec, r)
	})
}

// logRequest logs the route, but never the path, which contains user ids.
func (a *api) logRequest(r *http.Request, rec *recorder, id string, took time.Duration) {
	route := routeOf(r)
	status := max(rec.status, http.StatusOK)
	if !strings.HasSuffix(route, protocol.EdgeEvents) && !strings.HasSuffix(route, livePath) { // streams last as long as the edge is connected
		a.metric.requests.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
	}
	level := zap.DebugLevel
	if r.Method != http.MethodGet && route != "POST "+protocol.EdgeHeartbeats && route != "POST "+protocol.EdgeStates {
		level = zap.InfoLevel
	}
	if line := a.Log.Check(level, "request"); line != nil {
		line.Write(zap.String("request_id", id), zap.String("route", route), zap.Int("status", status), zap.Duration("took", took), zap.Int64("bytes", rec.bytes))
	}
}

// keepDots makes the mux read /users/./ and /users/../ as users with these ids, and
// not as relative paths: such users could be created once, and must be erasable.
func keepDots(r *http.Request) {
	const users = "/api/v1/users/"
	rest, ok := strings.CutPrefix(r.URL.Path, users)
	if !ok {
		return
	}
	id, action, ok := strings.Cut(rest, "/")
	if ok && (id == "." || id == "..") {
		r.URL.RawPath = users + strings.ReplaceAll(id, ".", "%2E") + "/" + url.PathEscape(action)
	}
}

func routeOf(r *http.Request) string {
	if r.Pattern == "" {
		return "none"
	}
	return r.Pattern
}

// notRouted responds to an unknown path, or to a method that the path does not have.
func (a *api) notRouted(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	probe := r.Clone(r.Context())
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		probe.Method = m
		if _, pattern := a.mux.Handler(probe); pattern != "" {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 {
		newProblem(protocol.NotFound, "Path not found. See /docs for the API reference.").write(w)
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	p := newProblem(protocol.InvalidRequest, "Method not allowed. This path accepts "+strings.Join(allowed, ", ")+".")
	p.Status, p.Title = http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed)
	p.write(w)
}

func goodRequestID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range id {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// recorder records the status and size of a response.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap returns the underlying writer for [http.ResponseController].
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// aborted reports whether a handler panicked only to abort the connection.
func aborted(cause any) bool {
	err, ok := cause.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// httpMetrics are the metrics of the HTTP API. Labels are bounded: routes, not paths.
type httpMetrics struct {
	requests *prometheus.HistogramVec
	streams  prometheus.Gauge
}

func newHTTPMetrics(registry *prometheus.Registry) httpMetrics {
	m := httpMetrics{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sessiongate_http_request_seconds", Help: "Duration of requests, by route and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
		}, []string{"route", "status"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sessiongate_edge_streams", Help: "Event streams that edges hold open.",
		}),
	}
	registry.MustRegister(m.requests, m.streams)
	return m
}

const tracerName = "github.com/sessiongate/sessiongate/backend"

// trace starts the span of a request, within the caller's trace. end records the result
// of the request. It records the route, but never the path.
func (a *api) trace(r *http.Request) (traced *http.Request, end func(route string, status int)) {
	if a.Traces == nil {
		return r, func(string, int) {}
	}
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := a.Traces.Tracer(tracerName).Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
	return r.WithContext(ctx), func(route string, status int) {
		span.SetName(route)
		span.SetAttributes(attribute.String("http.route", route), attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, http.StatusText(status))
		}
		span.End()
	}
}
