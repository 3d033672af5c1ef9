package caddymodule

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// Native apps and API clients have no cookies. They exchange the launch token for the
// session token, and send that one as Bearer with each request.

const bearerScheme = "Bearer "

// sessionTokenIn returns the session token in the value of an Authorization header, or "".
func sessionTokenIn(value string) string {
	_, raw, _ := strings.Cut(strings.TrimSpace(value), " ")
	raw = strings.TrimSpace(raw)
	if !strings.HasPrefix(raw, edge.ProvisionalPrefix) {
		if kind, ok := token.KindOf(raw); !ok || kind != token.Session {
			return ""
		}
	}
	return raw
}

// bearerOf returns the session token of a native client. A request with a cookie of the
// gate comes from a browser.
func bearerOf(r *http.Request) string {
	values := r.Header["Authorization"]
	if len(values) != 1 || len(values[0]) <= len(bearerScheme) || !strings.EqualFold(values[0][:len(bearerScheme)], bearerScheme) {
		return ""
	}
	raw := sessionTokenIn(values[0])
	if raw == "" || hasSessionCookie(r) || strings.ContainsFunc(raw, isNotTokenCharacter) {
		return ""
	}
	return raw
}

// hasSessionCookie reports whether a request has a cookie that may open a session.
func hasSessionCookie(r *http.Request) (found bool) {
	eachSessionCookie(r, cookieName(r), func(string) bool {
		found = true
		return false
	})
	return found
}

func isNotTokenCharacter(c rune) bool { return isNotBase64URL(c) && c != '.' }

// takeBearer replaces the bearer token of a native client by a cookie of the gate, so that
// the request is handled like a browser's from here on. It reports whether there was one.
// It removes every session token from Authorization: none may reach an origin.
func takeBearer(r *http.Request) bool {
	values := r.Header["Authorization"]
	if !slices.ContainsFunc(values, func(v string) bool { return sessionTokenIn(v) != "" }) {
		return false
	}
	raw := bearerOf(r)
	delete(r.Header, "Authorization")
	if raw == "" {
		return false
	}
	stripCookies(r.Header)
	r.Header["Cookie"] = append(r.Header["Cookie"], cookieName(r)+"="+raw)
	return true
}

// isNativeEntry reports whether a request exchanges a launch token for a session token.
// Pages enter with a form.
func isNativeEntry(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && media == "application/json"
}

// errFromPage is the cause of refusing an entry by JSON to a browser: its pages must
// never see a session token.
var errFromPage = errors.New("the request comes from a page")

// enterNative redeems a launch token and answers with the session token.
func (g *Gate) enterNative(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Referrer-Policy", "no-referrer")
	if r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != "" {
		return g.refuseNative(w, r, &protocol.Problem{
			Code: protocol.CrossSite, Detail: "A page cannot enter with JSON. Open the launch link in the browser, which sets the cookie.",
		}, errFromPage)
	}
	body, err := readBody(w, r)
	if err != nil {
		return writeProblem(w, problemOfBody(err))
	}
	var in protocol.NativeEntryRequest
	if json.Unmarshal(body, &in) != nil {
		return writeProblem(w, problemOfBody(errNotJSON))
	}
	if in.LaunchToken == "" {
		return writeProblem(w, &protocol.Problem{Code: protocol.InvalidRequest, Detail: "launch_token is required: the value of the parameter session in the launch link."})
	}
	claims, provider, err := g.verifyLaunch(r, in.LaunchToken)
	if err != nil {
		return g.refuseNative(w, r, problemFor(refusal{code: codeOfEntryError(err)}), err)
	}
	id := claims.SessionID()
	if g.closedToLink(provider, claims) {
		p := problemFor(refusal{code: protocol.InMaintenance, sessionID: id})
		g.detailClosed(p, r)
		return g.refuseNative(w, r, p, errClosed)
	}
	if !g.edge.Limits.Entry(entryKey(id, live.LinkOf(claims.Relaunches)), addressKey(r)) {
		return g.refuseNative(w, r, problemFor(refusal{code: protocol.RateLimited, sessionID: id}), errManyEntries)
	}
	redeem := func() (string, error) { return g.redeemLaunch(r, in.LaunchToken, claims, provider) }
	var sessionToken string
	if key := r.Header.Get(protocol.HeaderIdempotencyKey); key == "" {
		sessionToken, err = redeem()
	} else { // the client asks again after a response that it has not received
		sessionToken, err = g.edge.Launches.Do(r.Context(), edge.LaunchKeyOf(r, in.LaunchToken+" "+key), id, redeem)
	}
	if err != nil {
		return g.refuseNative(w, r, problemFor(refusal{code: edge.RedeemCode(err), returnURL: claims.ReturnURL, sessionID: id}), err)
	}
	s := g.edge.Sessions.ByID(id)
	if s == nil { // it ended in this moment, and was forgotten
		return g.refuseNative(w, r, problemFor(refusal{code: protocol.SessionExpired, returnURL: claims.ReturnURL, sessionID: id}), nil)
	}
	return writeJSON(w, protocol.NativeEntryAnswer{SessionToken: sessionToken, SessionAnswer: g.sessionAnswer(s)})
}

// refuseNative answers an entry by JSON that may not be.
func (g *Gate) refuseNative(w http.ResponseWriter, r *http.Request, p *protocol.Problem, cause error) error {
	g.edge.Metrics.CountRefusal(p.Code)
	g.logger.Info("entry refused", zap.String("code", string(p.Code)), zap.String("host", r.Host), zap.String("session", p.SessionID), zap.Error(cause))
	return writeProblem(w, p)
}

// answerNative answers a native client with its session, and with the session token that
// it has to send from now on if that is another one: a client that entered while the
// backend was down holds a provisional one.
func (g *Gate) answerNative(w http.ResponseWriter, v verdict) error {
	return writeJSON(w, protocol.NativeEntryAnswer{
		SessionToken: edge.UpgradedToken(v.session, v.cookie), SessionAnswer: g.sessionAnswer(v.session),
	})
}
