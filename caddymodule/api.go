package caddymodule

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
	sdkinject "github.com/sessiongate/sessiongate/sdk-inject"
)

// maxPageBody is the longest body that a page may send to the gate's API.
const maxPageBody = 64 << 10

// serveAPI answers everything below /.session-gate/. Scripts are public; the rest
// requires a session and, for writes, a page of the same origin.
func (g *Gate) serveAPI(w http.ResponseWriter, r *http.Request) error {
	hideAddress(r)
	name := strings.TrimPrefix(r.URL.Path, protocol.GatePrefix)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if asset, ok := sdkinject.Find(name); ok {
		return serveAsset(w, r, asset)
	}
	if r.URL.Path == workerGuard && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		return g.serveWorkerGuard(w, r)
	}
	if a := g.publishedAsserter(); r.URL.Path == assertionJWKS && a != nil {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "public, max-age=300")
		_, err := w.Write(a.jwks)
		return err
	}
	if r.URL.Path == originCA && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		return g.serveOriginCA(w, r)
	}
	w.Header().Set("Cache-Control", "no-store")
	methods := http.MethodPost
	switch r.URL.Path {
	case protocol.GateSession:
		// By GET for scripts of former versions and for programs. A service worker of
		// the app may answer a GET from its cache, so that ours do not use it.
		methods = "GET, POST"
	case protocol.GateHeartbeat, protocol.GateExtend, protocol.GatePause, protocol.GateResume, protocol.GateEnd, protocol.GateEvents, protocol.GateEnter:
	default:
		return writeProblem(w, &protocol.Problem{Code: protocol.NotFound})
	}
	if r.Method != http.MethodPost && !strings.HasPrefix(methods, r.Method+",") {
		w.Header().Set("Allow", methods)
		return writeProblem(w, &protocol.Problem{Status: http.StatusMethodNotAllowed, Code: protocol.InvalidRequest})
	}
	if r.URL.Path == protocol.GateEnter && isNativeEntry(r) {
		return g.enterNative(w, r)
	}
	if r.Method == http.MethodPost && !fromOwnPage(r) && bearerOf(r) == "" {
		g.edge.Metrics.CountRefusal(protocol.CrossSite)
		return writeProblem(w, problemFor(refusal{code: protocol.CrossSite}))
	}
	if r.URL.Path == protocol.GateEnter {
		return g.enterAgreed(w, r)
	}
	v := g.decide(r)
	if r.URL.Path == protocol.GateResume && isNavigation(r) {
		return g.resumeFromPage(w, r, v)
	}
	if why := v.refusal; why.code != "" && why.code != protocol.SessionPaused {
		g.edge.Metrics.CountRefusal(why.code)
		return writeProblem(w, problemFor(why))
	}
	switch r.URL.Path {
	case protocol.GateSession:
		if v.bearer {
			return g.answerNative(w, v)
		}
		g.renewCookie(w.Header(), r, v)
		return g.answerSession(w, v.session)
	case protocol.GateHeartbeat:
		return g.heartbeat(w, r, v.session)
	case protocol.GateEvents:
		if !g.edge.Limits.Events(v.session.ID(), v.session.ProviderID()) {
			g.edge.Metrics.CountRefusal(protocol.RateLimited)
			return writeProblem(w, &protocol.Problem{Code: protocol.RateLimited, Detail: "Too many batches of events. Send fewer, with up to 100 events each."})
		}
	}
	return g.act(w, r, v, strings.TrimPrefix(name, "/"))
}

// originCA is where the operator of an origin finds the authority to trust.
const originCA = protocol.GatePrefix + "origin-ca.pem"

// serveOriginCA answers with the authority that signs what this edge presents to the
// origins of the site's provider. It is public, as the certificates are.
func (g *Gate) serveOriginCA(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	provider := g.Provider
	if provider == "" {
		host, err := g.edge.Hosts.Find(r.Context(), r.Host, askerOf(r, false))
		if err != nil {
			return writeProblem(w, &protocol.Problem{Code: protocol.NotFound})
		}
		provider = host.ProviderID
	}
	authority, err := g.credentials.authority()
	var text []byte
	if err == nil {
		text, err = authority.CA(provider)
	}
	if err != nil {
		g.logger.Error("reading the origin key", zap.Error(err))
		return writeProblem(w, &protocol.Problem{Code: protocol.Internal})
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, err = w.Write(text)
	return err
}

// answerSession answers with the session's state, from memory.
func (g *Gate) answerSession(w http.ResponseWriter, s *live.Session) error {
	return writeJSON(w, g.sessionAnswer(s))
}

func (g *Gate) sessionAnswer(s *live.Session) protocol.SessionAnswer {
	return protocol.SessionAnswer{
		Session: s.Record().State().View(), ServerTimeMS: g.edge.Clock.NowMS(), Site: g.settingsOf(s.ProviderID()).rules().clock,
	}
}

// heartbeat answers from memory. The backend receives it with the next batch.
func (g *Gate) heartbeat(w http.ResponseWriter, r *http.Request, s *live.Session) error {
	body, err := readBody(w, r)
	if err != nil {
		return writeProblem(w, problemOfBody(err))
	}
	var beat protocol.HeartbeatRequest
	if len(body) > 0 && json.Unmarshal(body, &beat) != nil {
		return writeProblem(w, problemOfBody(errNotJSON))
	}
	st, now := s.Record().State(), g.edge.Clock.NowMS()
	g.edge.Heartbeats.Add(protocol.Heartbeat{ID: s.ID(), Version: st.Version, At: now / 1000, Active: beat.Active, Count: 1})
	ends := st.ExpiresAt
	if st.Status == protocol.Paused && st.PausedAt > 0 {
		ends += now/1000 - st.PausedAt
	}
	return writeJSON(w, protocol.HeartbeatAnswer{
		Acknowledged: true, RemainingSeconds: max(0, (ends*1000-now+999)/1000),
		Status: st.Status, Version: st.Version, ExpiresAt: st.ExpiresAt, ServerTimeMS: now,
	})
}

// act forwards an action to the backend with the session token, which scripts
// never see, and answers with the session's new state.
func (g *Gate) act(w http.ResponseWriter, r *http.Request, v verdict, action string) error {
	s := v.session
	body, err := readBody(w, r)
	if err != nil {
		return writeProblem(w, problemOfBody(err))
	}
	if len(body) > 0 && !json.Valid(body) {
		return writeProblem(w, problemOfBody(errNotJSON))
	}
	if len(body) == 0 && (action == protocol.ActionExtend || action == protocol.ActionEvents) {
		body = []byte("{}")
	}
	sessionToken := edge.SessionToken(s, v.cookie)
	if sessionToken == "" {
		return writeProblem(w, problemFor(refusal{code: protocol.BackendUnavailable}))
	}
	err = g.edge.Act(r.Context(), s, action, sessionToken, r.Header.Get(protocol.HeaderIdempotencyKey), body)
	var problem *protocol.Problem
	switch {
	case err == nil:
	case errors.Is(err, edge.ErrBackendDown) || !errors.As(err, &problem):
		g.logger.Warn("forwarding a page's request to the backend failed", zap.String("action", action), zap.Error(err))
		return writeProblem(w, problemFor(refusal{code: protocol.BackendUnavailable}))
	default:
		g.logger.Info("the backend refused a page's request", zap.String("action", action),
			zap.String("session", s.ID()), zap.String("code", string(problem.Code)))
		return writeProblem(w, problem)
	}
	if action == protocol.ActionEvents {
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	g.renewCookie(w.Header(), r, v)
	return g.answerSession(w, s)
}

// resumeFromPage resumes a paused session for its user, who pressed the button of
// the gate's own page, and leads back to the page that was refused.
func (g *Gate) resumeFromPage(w http.ResponseWriter, r *http.Request, v verdict) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxPageBody)
	to := "/"
	if err := r.ParseForm(); err == nil {
		if path := localPath(r.PostForm.Get("to")); path != "" {
			to = path
		}
	}
	why := v.refusal
	switch {
	case !g.ObserveOnly && v.settings.closedTo(v.session):
		why = refusal{code: protocol.InMaintenance}
	case why.code == protocol.SessionPaused:
		why = g.resume(r.Context(), v)
	}
	if why.code != "" {
		return g.refuse(w, r, why)
	}
	g.renewCookie(w.Header(), r, v)
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// fromOwnPage reports whether a write comes from a page of this very origin.
func fromOwnPage(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	origin, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && origin.Host != "" && strings.EqualFold(origin.Host, r.Host)
}

var errNotJSON = errors.New("body is not JSON")

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxPageBody))
}

func problemOfBody(err error) *protocol.Problem {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &protocol.Problem{Code: protocol.TooLarge, Detail: "The body must not exceed 64 KiB."}
	}
	return &protocol.Problem{Status: http.StatusBadRequest, Code: protocol.InvalidRequest, Detail: "The body must be JSON."}
}

func writeJSON(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(v)
}

// serveAsset serves a script: cached for good under its current name, revalidated
// under a former one.
func serveAsset(w http.ResponseWriter, r *http.Request, a sdkinject.Asset) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return writeProblem(w, &protocol.Problem{Status: http.StatusMethodNotAllowed, Code: protocol.InvalidRequest})
	}
	h := w.Header()
	h.Set("Content-Type", a.ContentType)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if a.Name == sdkinject.Boot().Name {
		// A sandboxed page has no origin. It runs boot.js, which removes itself and loads nothing;
		// refused, the element would stay in the page, and the browser would report an error.
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Access-Control-Allow-Origin", "*")
	}
	h.Set("Vary", "Accept-Encoding")
	if a.Exact {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	body := a.Body
	if acceptsGzip(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		body = a.Gzip
	}
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(body)
	return err
}

func acceptsGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			q := strings.TrimSpace(params)
			return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
		}
	}
	return false
}
