package caddymodule

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// manyParameters is how many parameters of a query are looked at without allocating.
const manyParameters = 32

// launchTokens returns the values of ?session= that look like tokens of this service, and
// the query without them. All other bytes of the query stay unchanged. These values never
// reach the origin. An app may use a parameter of the same name itself, also for JWTs of
// other issuers.
func launchTokens(rawQuery string) (tokens []string, rest string) {
	if !strings.Contains(rawQuery, protocol.LaunchParam) && !strings.Contains(rawQuery, "%") {
		return nil, rawQuery
	}
	kept := make([]string, 0, manyParameters)
	for part := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		if n, err := url.QueryUnescape(name); err == nil && n == protocol.LaunchParam {
			if v, err := url.QueryUnescape(value); err == nil && isOurs(v) {
				tokens = append(tokens, v)
				continue
			}
		}
		kept = append(kept, part)
	}
	if tokens == nil {
		return nil, rawQuery
	}
	return tokens, strings.Join(kept, "&")
}

// stripTokens removes launch tokens from a request that is forwarded to the origin.
// rest is its query without them.
func stripTokens(r *http.Request, rest string) {
	leaveOutOfLog(r)
	r.URL.RawQuery = rest
	r.RequestURI = r.URL.RequestURI()
}

// stripRepeated removes the parameters of a request that repeat a launch token in another
// way than a launch link does. inPath reports that a token is in the path, from which it
// cannot be removed.
func stripRepeated(r *http.Request) (inPath bool) {
	if rest := withoutRepeatedTokens(r.URL.RawQuery); rest != r.URL.RawQuery {
		stripTokens(r, rest)
	}
	if inPath = repeatsToken(r.URL.Path, false); inPath {
		leaveOutOfLog(r)
	}
	return inPath
}

// isOurs reports whether s looks like a token of this service: a JWT, which begins with
// `{"` in base64url, of a kind that the service issues. A JWT with a damaged header counts
// as one, since it probably comes from a launch link that was damaged in transit.
func isOurs(s string) bool {
	if !strings.HasPrefix(s, "eyJ") {
		return false
	}
	kind, ok := token.KindOf(s)
	return !ok || isKindOfOurs(kind)
}

func isKindOfOurs(kind token.Kind) bool {
	return kind == token.Launch || kind == token.Session || kind == token.Assertion
}

// enter redeems a launch token, sets the session's cookie, and redirects the
// browser to the same address without the token. The token never reaches the
// origin, a log or a Referer.
func (g *Gate) enter(w http.ResponseWriter, r *http.Request, tokens []string) error {
	// The server's access log copied the request with its token before any handler ran.
	// This variable suppresses that entry.
	leaveOutOfLog(r)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")

	if len(tokens) > 1 {
		return g.policy.refuseEntry(w, r, refusal{code: protocol.LaunchInvalid}, errors.New("several launch tokens"))
	}
	// A prefetch or a link checker must not redeem the token before the user opens the
	// link.
	if r.Method != http.MethodGet || isPrefetch(r) {
		h.Set("Allow", http.MethodGet)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return nil
	}
	return g.admit(w, r, launch{raw: tokens[0], to: addressOf(r)})
}

// launch is a launch link that a browser has opened.
type launch struct {
	raw string // the launch token
	to  string // the link without the token
	// The person has agreed that it takes the place of another session.
	agreed bool
}

// admit redeems a launch token for its browser, unless the browser has its session already,
// or has another one and the person has not agreed to open this one.
func (g *Gate) admit(w http.ResponseWriter, r *http.Request, l launch) error {
	h, raw, ctx := w.Header(), l.raw, r.Context()
	claims, provider, err := g.verifyLaunch(r, raw)
	if err != nil {
		return g.policy.refuseEntry(w, r, refusal{code: codeOfEntryError(err)}, err)
	}
	if g.closedToLink(provider, claims) { // the link stays good
		return g.policy.refuseEntry(w, r, refusal{code: protocol.InMaintenance}, errClosed)
	}
	link := live.LinkOf(claims.Relaunches)
	if s := g.findByID(r, provider, claims.SessionID(), link); s != nil {
		s.Claim()
		return redirectTo(w, r, l.to) // the same link, opened again in the browser that has the session
	}
	// Many people may share an address: what is forged, and one link opened again and
	// again, must not use up the entries of the others.
	if !g.edge.Limits.Entry(entryKey(claims.SessionID(), link), addressKey(r)) {
		return g.policy.refuseEntry(w, r, refusal{code: protocol.RateLimited}, errManyEntries)
	}
	if !l.agreed && g.policy.asks() {
		switch other, unsure := g.otherLive(r, provider, claims.SessionID()); {
		case other != nil:
			return g.ask(w, r, l, other)
		case unsure: // with when_backend_down admit, the link would take its place
			return g.policy.refuseEntry(w, r, refusal{code: protocol.BackendUnavailable}, errors.New("another session cannot be checked"))
		}
	}
	if kept := g.findKept(r, provider, claims.SessionID(), link); kept != nil {
		g.switchTo(h, r, provider, kept.cookie, kept.session, kept.seconds())
		return redirectTo(w, r, l.to)
	}
	cookie, err := g.edge.Launches.Do(ctx, edge.LaunchKeyOf(r, raw), claims.SessionID(), func() (string, error) {
		return g.redeemLaunch(r, raw, claims, provider)
	})
	if err != nil {
		why := refusal{code: edge.RedeemCode(err), returnURL: claims.ReturnURL, sessionID: claims.SessionID()}
		return g.policy.refuseEntry(w, r, why, err)
	}
	if g.settingsOf(provider).partitioned() && !isSecure(r) {
		g.logger.Warn("the cookie is not partitioned, because the request did not come over TLS; "+
			"if TLS ends at a proxy before this edge, name the proxy in trusted_proxies", zap.String("host", r.Host))
	}
	seconds := max(0, claims.Deadline().Unix()-g.edge.Clock.NowMS()/1000) + cookieSpare
	s := g.edge.Sessions.ByID(claims.SessionID())
	if s != nil {
		seconds = held{session: s}.seconds()
	}
	g.switchTo(h, r, provider, cookie, s, seconds)
	return redirectTo(w, r, l.to)
}

var errManyEntries = errors.New("too many entries by one link, or from one address")

// entryKey is the launch link whose entries are limited.
func entryKey(id string, link uint16) string { return id + " " + strconv.Itoa(int(link)) }

// redeemLaunch redeems a launch token and returns the cookie of its session.
func (g *Gate) redeemLaunch(r *http.Request, raw string, claims *token.Claims, provider string) (cookie string, err error) {
	req := &protocol.LaunchRequest{Token: raw, Host: edge.BareHost(r.Host), ProviderID: g.Provider, RedemptionID: rand.Text()}
	asked := edge.MonotonicMS()
	answer, err := g.redeemOnce(r.Context(), req, provider)
	if err != nil && g.offline.Sessions > 0 && errors.Is(err, edge.ErrBackendDown) {
		return g.admitOffline(req, claims)
	}
	if err != nil {
		return "", err
	}
	s := g.edge.Sessions.Put(&answer.Session, asked)
	g.edge.Sessions.Bind(answer.SessionToken, s, live.LinkOf(answer.Session.Relaunches))
	g.edge.Metrics.Entries.Inc()
	g.edge.Events.Entered(s)
	g.logger.Info("session entered", zap.String("session", s.ID()), zap.String("provider", provider),
		zap.Int64("expires_at", answer.Session.ExpiresAt))
	return answer.SessionToken, nil
}

// isPrefetch reports whether a request is for a page that may never be shown: a
// prefetch or a prerender.
func isPrefetch(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch") || r.Header.Get("Purpose") == "prefetch"
}

// redeemOnce redeems a launch token at the backend and retries once if the response is
// lost. Both requests have the same redemption id, so the backend treats them as one
// redemption.
func (g *Gate) redeemOnce(ctx context.Context, req *protocol.LaunchRequest, provider string) (*protocol.LaunchAnswer, error) {
	// The redemption stays valid if the browser disconnects meanwhile.
	ctx = context.WithoutCancel(ctx)
	answer, err := g.edge.Backend.Launch(ctx, req)
	if errors.Is(err, edge.ErrBackendDown) {
		answer, err = g.edge.Backend.Launch(ctx, req)
	}
	if err == nil && answer.Session.ProviderID != provider {
		return nil, &protocol.Problem{Status: http.StatusForbidden, Code: protocol.WrongProvider}
	}
	return answer, err
}

// admitOffline admits a launch while the backend cannot redeem it.
func (g *Gate) admitOffline(req *protocol.LaunchRequest, claims *token.Claims) (cookie string, err error) {
	if g.edge.Clock.NowMS() >= claims.Deadline().UnixMilli() {
		return "", &protocol.Problem{Status: http.StatusUnauthorized, Code: protocol.LaunchExpired}
	}
	cookie, code := g.edge.Offline.Admit(req, claims, g.offline)
	if code != "" {
		return "", &protocol.Problem{Status: protocol.StatusOf(code), Code: code}
	}
	g.logger.Warn("session entered while the backend is down", zap.String("session", claims.SessionID()))
	return cookie, nil
}

// redirectWithoutToken redirects the browser to the address that it requested, before
// any rewriting, without the token.
func (g *Gate) redirectWithoutToken(w http.ResponseWriter, r *http.Request) error {
	return redirectTo(w, r, addressOf(r))
}

// redirectTo redirects the browser to a path of this site.
func redirectTo(w http.ResponseWriter, r *http.Request, to string) error {
	// "//host/path" would redirect to another host. Use an absolute URL instead.
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`) {
		to = scheme(r) + "://" + r.Host + "/" + strings.TrimLeft(to, `/\`)
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// addressOf returns the path and the query that the browser requested, before any
// rewriting, without launch tokens.
func addressOf(r *http.Request) string {
	u := originalURL(r)
	_, query := launchTokens(u.RawQuery)
	if query = withoutRepeatedTokens(query); query == "" {
		return u.EscapedPath()
	}
	return u.EscapedPath() + "?" + query
}

func codeOfLaunchError(err error) protocol.Code {
	switch {
	case errors.Is(err, token.ErrExpired):
		return protocol.LaunchExpired
	case errors.Is(err, token.ErrAudience):
		return protocol.WrongProvider
	case errors.Is(err, token.ErrMalformed), errors.Is(err, token.ErrTooLarge), errors.Is(err, token.ErrKind),
		errors.Is(err, token.ErrSignature), errors.Is(err, token.ErrUnknownKey), errors.Is(err, token.ErrNotYet),
		errors.Is(err, token.ErrIssuer), errors.Is(err, token.ErrIncomplete):
		return protocol.LaunchInvalid
	}
	return protocol.BackendUnavailable // the keys could not be fetched
}

func codeOfHostError(err error) protocol.Code {
	switch {
	case errors.Is(err, edge.ErrUnknownHost):
		return protocol.HostUnknown
	case errors.Is(err, edge.ErrNobodyAsks):
		return protocol.SessionMissing
	case errors.Is(err, edge.ErrLookups):
		return protocol.RateLimited
	}
	return protocol.BackendUnavailable
}
