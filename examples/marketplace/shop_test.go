package marketplace_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/examples/marketplace"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

var tags = regexp.MustCompile(`<[^>]*>`)

// rows are the texts of a table's rows.
func rows(page answer, table string) []string {
	_, rest, _ := strings.Cut(page.body, `<table data-testid="`+table+`">`)
	rest, _, _ = strings.Cut(rest, "</table>")
	var list []string
	for _, row := range strings.Split(rest, "<tr data-kind=")[1:] {
		_, row, _ = strings.Cut(row, ">")
		list = append(list, strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(row, " "))), " "))
	}
	return list
}

func TestEveryAppSaysItsTerms(t *testing.T) {
	t.Parallel()
	m := open(t, func(a *marketplace.App) { a.Terms = marketplace.Terms{FromSale: true} })
	v := m.visitor(t)
	for path, words := range map[string][]string{
		appPage: {"The clock starts when you buy", "Leave early, and you pay for the whole time", "It cannot be paused",
			"Add 5 min for 10 tokens from inside, twice", "By The Marsh Trust"},
		puzzlesPage: {"The clock starts when you are in", "the time you did not use comes back",
			"Pause twice, for 30 min in all, at no charge", "Add 10 min for 10 tokens from inside, twice"},
	} {
		v.get(path).has(t, http.StatusOK, words...)
		v.get("/").has(t, http.StatusOK, words...)
	}
	v.get("/apps/prov_none").has(t, http.StatusNotFound, "There is no page here")
}

func TestTotalOfAPlan(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	page := v.get(appPage + "?plan=2")
	// 54 now, 46 left, and 74 with two extensions of five minutes.
	page.has(t, http.StatusOK, "Total for 30 min", ">54<", ">46<", "At most, with every addition (40 min)", ">74<",
		"one click adds 5 min for 10 tokens, twice")
	if got := page.form(t, "/buy").Get("plan"); got != "2" {
		t.Errorf("plan %q is chosen, want the one asked for", got)
	}
	for _, nonsense := range []string{"x", "-1", "9"} {
		if got := v.get(appPage+"?plan="+nonsense).form(t, "/buy").Get("plan"); got != "1" {
			t.Errorf("?plan=%s chooses %q, want the middle one", nonsense, got)
		}
	}
}

// TestToppingUpForAPlan leads from a plan that the balance does not buy, over
// the top-up, back to that plan.
func TestToppingUpForAPlan(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	v.get("/")
	m.pass(time.Second)
	v.buy("2") // 54 of 100 tokens
	page := v.get(appPage + "?plan=2")
	page.has(t, http.StatusOK, "You are 8 tokens short.", `formaction="/topup"`, "Top up 100 tokens")
	form := page.form(t, "/buy") // what the button sends to /topup
	m.pass(time.Second)          // so that the statement has an order
	up := v.post("/topup", form)
	if up.status != http.StatusSeeOther || up.location != appPage+"?notice=topup&plan=2" {
		t.Fatalf("topping up: got %d to %q", up.status, up.location)
	}
	back := v.get(up.location)
	back.has(t, http.StatusOK, "100 tokens added", "Buy and open Saltmarsh")
	if strings.Contains(back.body, "short.") {
		t.Error("a plan is still short")
	}
	form = back.form(t, "/buy")
	m.pass(time.Second)
	if form.Get("plan") != "2" {
		t.Errorf("plan %q is chosen after the top-up", form.Get("plan"))
	}
	if res := v.post("/buy", form); res.status != http.StatusSeeOther {
		t.Errorf("buying after the top-up: got %d", res.status)
	}
	want := []string{"Set aside at purchase Saltmarsh", "Top-up", "Set aside at purchase Saltmarsh", "Welcome tokens"}
	for i, row := range rows(v.get("/tokens"), "statement") {
		if i >= len(want) || !strings.HasPrefix(row, want[i]) {
			t.Errorf("line %d of the statement is %q", i, row)
		}
	}
	m.audit(t)
}

// TestBalanceTooLowForAnything makes every button of the shop one that tops up.
func TestBalanceTooLowForAnything(t *testing.T) {
	t.Parallel()
	m := open(t, func(a *marketplace.App) {
		a.Plans = []marketplace.Plan{{Seconds: 600, Tokens: 98}, {Seconds: 3600, Tokens: 300}}
	})
	v := m.visitor(t)
	launch := v.buy("0")
	home := v.get("/")
	home.has(t, http.StatusOK, `data-testid="low-balance"`, "Your balance is too low for any app", "You have 2 tokens to spend, and 98 set aside",
		"96 tokens short", "298 tokens short", "3 tokens short")
	if strings.Contains(home.body, "Choose your time") {
		t.Error("an app that cannot be paid offers to choose its time")
	}
	if got := strings.Count(home.body, `action="/topup"`); got != 3 {
		t.Errorf("%d top-ups on the home page, want the notice's and one for each app", got)
	}

	m.launch(t, launch)
	ask := v.get("/consent?session_id=" + sessionOf(t, launch))
	ask.has(t, http.StatusOK, `data-testid="low-balance"`, "the least you need is 8 tokens more", "You are 8 tokens short.")
	up := v.post("/topup", ask.form(t, "/consent"))
	back := v.get(up.location)
	back.has(t, http.StatusOK, "100 tokens added", "Yes, add this time")
	if res := v.post("/consent", back.form(t, "/consent")); res.status != http.StatusSeeOther || !strings.HasSuffix(res.location, "&done=1") {
		t.Errorf("agreeing after the top-up: got %d to %q", res.status, res.location)
	}
	m.audit(t)
}

func TestPausedSecondsCostNothing(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	launch := v.buyAt(puzzlesPage, "1") // 20 minutes for 20 tokens
	id := sessionOf(t, launch)
	receipt := "/session/complete?session_id=" + id
	user := m.launch(t, launch)
	act := func(action string) {
		t.Helper()
		if status, body := m.call(t, http.MethodPost, protocol.Sessions+"/"+id+"/"+action, user, []byte("{}")); status != http.StatusOK {
			t.Fatalf("%s: got %d %s", action, status, body)
		}
	}
	m.pass(time.Minute)
	act("pause")
	m.pass(90 * time.Second)
	v.get(receipt).has(t, http.StatusOK, `data-status="paused"`, "Your clock stands still", `data-testid="time-paused">1:30<`, "left of 20 min")
	v.get("/history").has(t, http.StatusOK, "Paused", "19:00 left of 20 min")
	act("resume")
	m.pass(2*time.Minute + 500*time.Millisecond)
	v.post("/session/end", url.Values{"session_id": {id}})

	page := v.get(receipt)
	// Three minutes and a begun second, and so the fourth token has begun.
	page.has(t, http.StatusOK, `data-status="completed"`, `data-testid="time-paused">1:30<`, `data-testid="tokens-captured">4<`,
		"4 paid + 16 given back = 20 set aside", "You pay for the seconds you used")
	if got := kindsOf(page, "times"); got != "bought entered paused resumed unused" {
		t.Errorf("lines of time: %q", got)
	}
	if got := rows(page, "times")[3]; !strings.HasPrefix(got, "Went on: 1:30 not charged") {
		t.Errorf("the pause ends with %q", got)
	}
	if !strings.Contains(page.body, `class="bar-paused"`) {
		t.Error("the bar shows no pause")
	}
	m.audit(t)
}

// TestEndedWhilePaused charges nothing from the pause on.
func TestEndedWhilePaused(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	launch := v.buyAt(puzzlesPage, "0")
	id := sessionOf(t, launch)
	user := m.launch(t, launch)
	m.pass(time.Minute)
	if status, body := m.call(t, http.MethodPost, protocol.Sessions+"/"+id+"/pause", user, []byte("{}")); status != http.StatusOK {
		t.Fatalf("pausing: got %d %s", status, body)
	}
	m.pass(20 * time.Minute)
	v.post("/session/end", url.Values{"session_id": {id}})
	v.get("/session/complete?session_id="+id).has(t, http.StatusOK, `data-testid="time-used">1:00<`,
		"Ended by you, not used; paused until then, 20:00 not charged", "1 paid + 4 given back = 5 set aside")
	m.audit(t)
}

// TestClockFromTheSale runs before anyone is in; the launch link stays the way
// in, since nobody here knows whether it was used.
func TestClockFromTheSale(t *testing.T) {
	t.Parallel()
	m := open(t, func(a *marketplace.App) { a.Terms = marketplace.Terms{FromSale: true} })
	v := m.visitor(t)
	launch := v.buy("1")
	id := sessionOf(t, launch)
	m.pass(2 * time.Minute)
	page := v.get("/session/complete?session_id=" + id)
	page.has(t, http.StatusOK, `data-status="active"`, "8:00", `href="`+launch+`"`)
	if got := rows(page, "times")[0]; !strings.HasPrefix(got, "Time bought, clock started") {
		t.Errorf("the account of time begins with %q", got)
	}
	m.launch(t, launch)
	page = v.get("/session/complete?session_id=" + id)
	if got := kindsOf(page, "times"); got != "bought entered" {
		t.Errorf("lines of time: %q", got)
	}
}

func TestHistoryAcrossApps(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	first := sessionOf(t, v.buy("0"))
	second := v.buyAt(puzzlesPage, "0")
	m.launch(t, second)
	v.post("/session/end", url.Values{"session_id": {first}})
	page := v.get("/history")
	page.has(t, http.StatusOK, "Saltmarsh", "Never entered", "Quadrille", "Running",
		`href="/session/complete?session_id=`+first+`"`, `href="/session/complete?session_id=`+sessionOf(t, second)+`"`)
}

// TestStatementAddsUp follows the balance from the last line to the first.
func TestStatementAddsUp(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	v.get("/")
	m.pass(time.Second)
	launch := v.buyAt(puzzlesPage, "1")
	m.launch(t, launch)
	m.pass(5 * time.Minute)
	v.post("/session/end", url.Values{"session_id": {sessionOf(t, launch)}})
	page := v.get("/tokens")
	page.has(t, http.StatusOK, `data-testid="account-available">95<`)
	want := []string{"Given back Quadrille −15 +15 95", "Paid to the app Quadrille −5 80", "Set aside at purchase Quadrille +20 −20 80", "Welcome tokens +100 100"}
	got := rows(page, "statement")
	if len(got) != len(want) {
		t.Fatalf("got the lines %q", got)
	}
	date := regexp.MustCompile(`\d+ \w{3} \d{4}, \d\d:\d\d UTC `)
	for i := range want {
		if line := date.ReplaceAllString(got[i], ""); line != want[i] {
			t.Errorf("line %d: got %q, want %q", i, line, want[i])
		}
	}
	if other := m.visitor(t).get("/tokens"); strings.Contains(other.body, "Quadrille") {
		t.Error("another visitor sees this account")
	}
}
