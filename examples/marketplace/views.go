package marketplace

import (
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// sessionView is a session in the words a page uses.
type sessionView struct {
	Session
	App App
	// One or two words: "Running", "Ended by you".
	Outcome string
	// The color that goes with them: live, good, warn or bad.
	Tone string
	// A sentence for the receipt.
	Summary string
	// Seconds used so far, or in all.
	Used int64
	// Seconds left while it runs.
	Left int64
	// Seconds for which the clock stood still, as far as is known; a running
	// pause counts.
	Paused int64
	// The way into the app, "" when there is none.
	Enter string
}

// view puts session into words.
func (s *Server) view(session Session) sessionView {
	v := sessionView{Session: session, App: s.config.app(session.ProviderID)}
	now := s.config.Now().Unix()
	switch session.Status {
	case "pending":
		v.Outcome, v.Tone = "Not entered yet", "warn"
		v.Summary = "Your time starts when you enter the app. If you never do, every token comes back."
	case "active":
		v.Outcome, v.Tone = "Running", "live"
		v.Summary = "The app is open to you until the time runs out. What you pay is settled when it ends."
	case "paused":
		v.Outcome, v.Tone = "Paused", "warn"
		v.Summary = "Your clock stands still until you go back into the app. Paused seconds cost nothing."
	case "completed":
		v.Outcome, v.Tone = "Ended by you", "good"
		v.Summary = "You ended this session before its time was up."
		if st := session.Settlement; st != nil && st.Released == 0 && session.TokensAllocated > 0 {
			v.Summary = "You ended this session early. This app charges for the whole time bought."
		} else if st != nil && st.Released > 0 {
			v.Summary = "You ended this session early. You pay for the seconds you used, and the rest is back in your balance."
		}
	case "expired":
		v.Outcome, v.Tone = "Time used up", "good"
		v.Summary = "The session ran to its last second and closed on time."
		if session.EnteredAt == 0 && session.Unentered == "capture" {
			v.Summary = "You never entered the app. The time ran from the moment you bought it, and is charged as said then."
		}
	case "revoked":
		v.Outcome, v.Tone = "Ended early", "bad"
		v.Summary = "This session was ended by the marketplace or the operator."
	case "canceled":
		v.Outcome, v.Tone = "Never entered", "warn"
		v.Summary = "You never entered the app, so nothing was charged."
	default:
		v.Outcome, v.Tone = session.Status, "warn"
	}
	switch {
	case session.Settlement != nil:
		v.Used = session.Settlement.UsedSeconds
	case session.Status == "paused":
		v.Left = max(session.ExpiresAt-session.PausedAt, 0)
		v.Used = max(session.DurationLimitSeconds-v.Left, 0)
	case session.Status == "active":
		// The clock starts at the next full second.
		v.Left = min(max(session.ExpiresAt-now, 0), session.DurationLimitSeconds)
		v.Used = max(session.DurationLimitSeconds-v.Left, 0)
	case session.Status == "pending":
		v.Left = session.DurationLimitSeconds
	}
	if !session.Over() {
		v.Enter = s.launches.wayIn(session, v.App)
	}
	return v
}

// launches remembers where the latest sales were sent, for visitors who closed
// the tab. A marketplace with a database keeps this with its orders.
type launches struct {
	mu    sync.Mutex // guards urls and order
	urls  map[string]string
	order []string
}

// launchesKept bounds the memory.
const launchesKept = 1000

func (l *launches) put(sessionID, launchURL string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.urls == nil {
		l.urls = map[string]string{}
	}
	if _, known := l.urls[sessionID]; !known {
		l.order = append(l.order, sessionID)
	}
	l.urls[sessionID] = launchURL
	if len(l.order) > launchesKept {
		delete(l.urls, l.order[0])
		l.order = l.order[1:]
	}
}

// wayIn is the launch URL before the first entry and the app's plain address
// after it, when the browser's cookie there lets the user in.
func (l *launches) wayIn(session Session, app App) string {
	l.mu.Lock()
	launch := l.urls[session.ID]
	l.mu.Unlock()
	// A launch link opens once, and again in the browser that has the session:
	// where the clock runs from the sale, nobody knows here whether it has.
	if session.Status == "pending" || session.Clock == "creation" && launch != "" {
		return launch
	}
	if u, err := url.Parse(launch); err == nil && u.Host != "" {
		q := u.Query()
		q.Del("session")
		u.RawQuery = q.Encode()
		return u.String()
	}
	return app.URL
}

func receiptPath(id string) string { return "/session/complete?session_id=" + url.QueryEscape(id) }

func (s *Server) funcs() template.FuncMap {
	return template.FuncMap{
		"tokens":   tokens,
		"signed":   signed,
		"duration": duration,
		"clock":    clock,
		"timed":    signedClock,
		"when":     when,
		"iso":      func(t int64) string { return time.Unix(t, 0).UTC().Format(time.RFC3339) },
		"receipt":  receiptPath,
		"dict":     dict,
		"times":    times,
		"appPath":  appPath,
		"consent":  consentPath,
		"picture":  pictureName,
		"rate":     rate,
		"initial":  func(name string) string { return string([]rune(name + "?")[0]) },
		"mod":      func(a, b int) int { return a % b },
		"sub":      func(a, b int64) int64 { return a - b },
	}
}

// tokens is an amount with its unit.
func tokens(n int64) string {
	if n == 1 {
		return "1 token"
	}
	return strconv.FormatInt(n, 10) + " tokens"
}

// times is how often something may be done.
func times(n int64) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return "up to " + strconv.FormatInt(n, 10) + " times"
}

// signed is an amount with its sign; a true minus, which lines up with plus.
func signed(n int64) string {
	switch {
	case n < 0:
		return "−" + strconv.FormatInt(-n, 10)
	case n > 0:
		return "+" + strconv.FormatInt(n, 10)
	}
	return "0"
}

// duration is a time in words, exact to the second.
func duration(seconds int64) string {
	if seconds < 60 {
		return fmt.Sprintf("%d sec", seconds)
	}
	h, m, sec := seconds/3600, seconds/60%60, seconds%60
	out := ""
	if h > 0 {
		out = fmt.Sprintf("%d h", h)
	}
	if m > 0 {
		out = join(out, fmt.Sprintf("%d min", m))
	}
	if sec > 0 {
		out = join(out, fmt.Sprintf("%d sec", sec))
	}
	return out
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + " " + b
}

// clock is a time as a timer shows it.
func clock(seconds int64) string {
	if seconds >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}

// when is a moment in UTC; app.js shows it in the visitor's own time.
func when(unix int64) string { return time.Unix(unix, 0).UTC().Format("2 Jan 2006, 15:04 UTC") }

// rate is what a plan costs a minute.
func rate(p Plan) string {
	if p.Seconds < 60 {
		return ""
	}
	r := strconv.FormatFloat(float64(p.Tokens)*60/float64(p.Seconds), 'f', 1, 64)
	if r[len(r)-2:] == ".0" {
		r = r[:len(r)-2]
	}
	return r + " a minute"
}

// dict builds the argument of a template that needs several.
func dict(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m
}
