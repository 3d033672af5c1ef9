package caddymodule

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// ask answers a launch link that meets another live session of the browser with a page that
// asks before it takes that one's place: anyone can make a browser open a link. The link is
// not redeemed before the person agrees. Both sessions go on, whatever the answer is.
func (g *Gate) ask(w http.ResponseWriter, r *http.Request, l launch, other *held) error {
	g.edge.Metrics.CountRefusal(protocol.AnotherSession)
	g.logger.Info("a launch link meets another session, and its person is asked", zap.String("session", other.session.ID()))
	if !isNavigation(r) {
		return writeProblem(w, problemFor(refusal{code: protocol.AnotherSession}))
	}
	t := textsFor(r.Header.Get("Accept-Language"))
	p := pageOf(protocol.AnotherSession, localOrRoot(l.to), t)
	p.Text = strings.Replace(p.Text, "{left}", timeLeft(other, t), 1)
	p.ResumeTo = withToken(p.Back, l.raw)
	if !fillsWindow(r) && !g.settingsFor(r).partitioned() {
		// A page of another site might show the frame and guide the press. The link opens
		// the question in the window instead. Partitioned cookies are not those that the
		// browser has outside of that site.
		p.Back, p.BackLabel, p.ResumeTo, p.RetryLabel = p.ResumeTo, t.Open, "", ""
	}
	return g.writePage(w, r, protocol.StatusOf(p.Code), p)
}

// enterAgreed opens the launch link to which the person has agreed on the page of
// [Gate.ask]. Only pages of this origin can send the form: see [fromOwnPage]. The app's own
// pages are among them; they can end the session as well.
func (g *Gate) enterAgreed(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxPageBody)
	w.Header().Set("Referrer-Policy", "no-referrer")
	var tokens []string
	to := "/"
	if r.ParseForm() == nil {
		tokens, to = agreedLink(r.PostForm.Get("to"))
	}
	if len(tokens) != 1 {
		return g.policy.refuseEntry(w, r, refusal{code: protocol.LaunchInvalid}, nil)
	}
	return g.admit(w, r, launch{raw: tokens[0], to: to, agreed: true})
}

// agreedLink returns the launch tokens of a form's link, and the path of this site that it
// leads to.
func agreedLink(link string) (tokens []string, to string) {
	path, query, _ := strings.Cut(link, "?")
	if tokens, query = launchTokens(query); query != "" {
		path += "?" + query
	}
	return tokens, localOrRoot(path)
}

// localOrRoot returns to if it is a path of the app, and otherwise the app's first page.
func localOrRoot(to string) string {
	if localPath(to) == "" || strings.HasPrefix(to, protocol.GatePrefix) {
		return "/"
	}
	return to
}

// withToken returns a path with a launch token in its query.
func withToken(path, raw string) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + protocol.LaunchParam + "=" + url.QueryEscape(raw)
}

// timeLeft returns the paid time that a session has left, in the two largest units.
func timeLeft(h *held, t *texts) string {
	st := h.session.Record().State()
	from := h.session.NowMS() / 1000
	if st.Status == protocol.Paused && st.PausedAt > 0 {
		from = st.PausedAt
	}
	left := max(st.ExpiresAt-from, 0)
	if st.Status == protocol.Pending {
		left = st.DurationLimitSeconds
	}
	return inUnits(left, t)
}

// inUnits writes seconds in the two largest units, and at least as a minute.
func inUnits(left int64, t *texts) string {
	const minute, hour, day = 60, 3600, 24 * 3600
	if left < hour {
		return strconv.FormatInt(max((left+minute-1)/minute, 1), 10) + " " + t.Units[2]
	}
	n, rest, big, small := left/hour, left%hour/minute, t.Units[1], t.Units[2]
	if left >= day {
		n, rest, big, small = left/day, left%day/hour, t.Units[0], t.Units[1]
	}
	text := strconv.FormatInt(n, 10) + " " + big
	if rest > 0 {
		text += " " + strconv.FormatInt(rest, 10) + " " + small
	}
	return text
}
