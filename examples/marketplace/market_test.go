package marketplace_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestBuyingASession(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	v.get("/").has(t, http.StatusOK, `data-testid="balance-available">100<`, "Saltmarsh", "Quadrille", "Choose your time")
	product := v.get(appPage)
	product.has(t, http.StatusOK, "Buy and open Saltmarsh", "Total for 10 min")

	form := product.form(t, "/buy")
	form.Set("plan", "1")
	first := v.post("/buy", form)
	if first.status != http.StatusSeeOther || !strings.HasPrefix(first.location, appURL+"?session=") {
		t.Fatalf("got %d to %.60q, want 303 to the app with a launch token", first.status, first.location)
	}
	// A double click, and a reload after it.
	for range 2 {
		again := v.post("/buy", form)
		if again.status != http.StatusSeeOther || sessionOf(t, again.location) != sessionOf(t, first.location) {
			t.Errorf("the same form again: got %d to another session", again.status)
		}
	}
	v.get("/").has(t, http.StatusOK, `data-testid="balance-available">80<`, `data-testid="balance-held">20 set aside<`, "waiting for you")
	history := v.get("/history")
	if got := strings.Count(history.body, "/session/complete?session_id="); got != 1 {
		t.Errorf("history shows %d sessions, want 1", got)
	}

	// Another plan in the same form is another purchase.
	form.Set("plan", "0")
	other := v.post("/buy", form)
	if other.status != http.StatusSeeOther || sessionOf(t, other.location) == sessionOf(t, first.location) {
		t.Errorf("another plan: got %d to the same session", other.status)
	}
}

func TestReceiptAccountsForEveryToken(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	launch := v.buy("1")
	id := sessionOf(t, launch)
	receipt := "/session/complete?session_id=" + id

	v.get(receipt).has(t, http.StatusOK, `data-status="pending"`, "Enter Saltmarsh", "Cancel, take my tokens back")
	v.get("/consent?app=prov_demo").has(t, http.StatusNotFound, "No session of yours is running")
	m.launch(t, launch)
	m.pass(2 * time.Minute)
	v.get(receipt).has(t, http.StatusOK, `data-status="active"`, "left of 10 min", "End it now", `href="`+appURL+`"`)

	found := v.get("/consent?app=prov_demo") // the session's consent_url
	if found.location != "/consent?session_id="+id {
		t.Fatalf("consent_url leads to %q", found.location)
	}
	ask := v.get(found.location)
	ask.has(t, http.StatusOK, "Add time to Saltmarsh?", "+ 5 min")
	agreed := v.post("/consent", ask.form(t, "/consent"))
	if agreed.status != http.StatusSeeOther {
		t.Fatalf("agreeing: got %d %.300s", agreed.status, agreed.body)
	}
	v.get(agreed.location).has(t, http.StatusOK, "You are set", "Go back to the tab")

	m.pass(time.Minute)
	v.post("/session/end", url.Values{"session_id": {id}})
	page := v.get(receipt)
	// 30 tokens for 15 minutes, of which three were used.
	page.has(t, http.StatusOK, `data-status="completed"`,
		`data-testid="tokens-held">20<`, `data-testid="tokens-extended">10<`,
		`data-testid="tokens-captured">6<`, `data-testid="tokens-released">24<`,
		`data-testid="time-used">3:00<`, `data-testid="new-balance">94 tokens<`, "Buy again")
	if got := kindsOf(page, "ledger"); got != "hold hold capture release" {
		t.Errorf("ledger lines: got %q", got)
	}
	// Its seconds: 10 minutes bought, 5 added, 12 not used.
	if got := kindsOf(page, "times"); got != "bought entered added unused" {
		t.Errorf("lines of time: got %q", got)
	}
	page.has(t, http.StatusOK, ">+10:00<", ">+5:00<", "Added here", ">−12:00<", "Ended by you, not used", `data-testid="times-sum">3:00<`,
		"10 min for 20 tokens, 3:00 used, 6 tokens paid; 5 min for 10 tokens, 0:00 used, 0 tokens paid.")
	v.get("/consent?session_id="+id).has(t, http.StatusOK, "This session has ended")

	// The old launch answers with the receipt, not with a spent token.
	if again := v.post("/session/end", url.Values{"session_id": {id}}); again.status != http.StatusSeeOther {
		t.Errorf("ending twice: got %d", again.status)
	}
	m.audit(t)
}

// A visitor who has lost the session's browser opens it again from its page, as often as a
// double click, and after its end lands on the receipt.
func TestOpenAgain(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	launch := v.buy("1")
	m.launch(t, launch)
	id := sessionOf(t, launch)
	receipt := "/session/complete?session_id=" + id
	v.get(receipt).has(t, http.StatusOK, `data-testid="open-again"`, "Your time runs on")
	again := v.post("/session/open", url.Values{"session_id": {id}})
	if again.status != http.StatusSeeOther || sessionOf(t, again.location) != id || again.location == launch {
		t.Fatalf("got %d to %q", again.status, again.location)
	}
	if twice := v.post("/session/open", url.Values{"session_id": {id}}); sessionOf(t, twice.location) != id {
		t.Errorf("a double click: got %d to %q", twice.status, twice.location)
	}
	if got := kindsOf(v.get(receipt), "times"); got != "bought entered relaunched" {
		t.Errorf("lines of time: got %q", got)
	}
	m.visitor(t).post("/session/open", url.Values{"session_id": {id}}).has(t, http.StatusNotFound, "no such session")
	v.post("/session/end", url.Values{"session_id": {id}})
	if late := v.post("/session/open", url.Values{"session_id": {id}}); late.location != receipt {
		t.Errorf("after the end: got %d to %q", late.status, late.location)
	}
	m.audit(t)
}

// kindsOf lists the kinds of lines that a table of a page has.
func kindsOf(page answer, table string) string {
	_, rest, _ := strings.Cut(page.body, `<table data-testid="`+table+`">`)
	rest, _, _ = strings.Cut(rest, "</table>")
	var kinds []string
	for _, row := range strings.Split(rest, `<tr data-kind="`)[1:] {
		kind, _, _ := strings.Cut(row, `"`)
		kinds = append(kinds, kind)
	}
	return strings.Join(kinds, " ")
}

func TestTimeRunsOut(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	form := v.get(appPage).form(t, "/buy")
	form.Set("plan", "0")
	bought := v.post("/buy", form)
	id := sessionOf(t, bought.location)
	m.launch(t, bought.location)
	m.pass(5*time.Minute + time.Second)
	v.get("/session/complete?session_id="+id).has(t, http.StatusOK,
		`data-status="expired"`, "Time used up", `data-testid="tokens-captured">10<`, `data-testid="tokens-released">0<`,
		`data-testid="times-sum">5:00<`, "10 tokens for 5 min come to 0.0333 a second.")
	if again := v.post("/buy", form); again.location != "/session/complete?session_id="+id {
		t.Errorf("the form of a session that is over leads to %q, want its receipt", again.location)
	}
	m.audit(t)
}

func TestNeverEntered(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	id := sessionOf(t, v.buy("2"))
	v.post("/session/end", url.Values{"session_id": {id}})
	v.get("/session/complete?session_id="+id).has(t, http.StatusOK,
		`data-status="canceled"`, "Never entered", `data-testid="tokens-captured">0<`, `data-testid="new-balance">100 tokens<`)
	m.audit(t)
}

func TestTooFewTokens(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	v.buy("2") // 54 of 100
	form := v.get(appPage).form(t, "/buy")
	form.Set("plan", "2")
	poor := v.post("/buy", form)
	poor.has(t, http.StatusPaymentRequired, "Not enough tokens", "You are 8 tokens short", "Nothing was charged")

	up := poor.form(t, "/topup")
	for range 2 { // a double click tops up once
		if res := v.post("/topup", up); res.status != http.StatusSeeOther || res.location != appPage+"?notice=topup&plan=2" {
			t.Fatalf("topping up: got %d to %q", res.status, res.location)
		}
	}
	v.get("/?notice=topup").has(t, http.StatusOK, "100 tokens added", `data-testid="balance-available">146<`)

	for _, back := range []string{"//evil.example", "https://evil.example/", `/\evil.example`, "/\t/evil.example", "x", ""} {
		up.Set("back", back)
		if res := v.post("/topup", up); res.location != "/?notice=topup" {
			t.Errorf("back=%q leads to %q", back, res.location)
		}
	}
}

func TestAnotherVisitorSeesNothing(t *testing.T) {
	t.Parallel()
	m := open(t)
	v, other := m.visitor(t), m.visitor(t)
	launch := v.buy("1")
	id := sessionOf(t, launch)
	m.launch(t, launch)
	const words = "We have no such session for you"
	for _, id := range []string{id, "0193a5f0-1111-7a10-8000-000000000000", "nonsense", "../../users"} {
		id := url.QueryEscape(id)
		other.get("/session/complete?session_id="+id).has(t, http.StatusNotFound, words)
		other.get("/consent?session_id="+id).has(t, http.StatusNotFound, words)
	}
	other.post("/session/end", url.Values{"session_id": {id}}).has(t, http.StatusNotFound, words)
	form := v.get("/consent?session_id="+id).form(t, "/consent")
	other.post("/consent", form).has(t, http.StatusNotFound, words)
	v.get("/session/complete?session_id="+id).has(t, http.StatusOK, `data-status="active"`, "left of 10 min")

	// Knowing a user's id, as every provider does, opens nothing.
	stranger := m.visitor(t)
	stranger.cookie = m.userOf(t, id)
	stranger.get("/session/complete?session_id="+id).has(t, http.StatusNotFound, words)
}

func TestOtherSitesCannotPost(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	form := v.get(appPage).form(t, "/buy")
	tests := map[string]string{
		"Sec-Fetch-Site: cross-site": "the browser says so",
		"Sec-Fetch-Site: same-site":  "the app beside us, on another port",
		"Origin: " + appURL:          "an old browser",
		"Origin: null":               "a sandboxed frame",
	}
	for header, why := range tests {
		for _, path := range []string{"/buy", "/topup", "/session/end", "/session/open", "/consent"} {
			name, value, _ := strings.Cut(header, ": ")
			v.post(path, form, name, strings.TrimSuffix(value, "/")).has(t, http.StatusForbidden, "came from elsewhere")
			if t.Failed() {
				t.Fatalf("%s with %q (%s)", path, header, why)
			}
		}
	}
	v.get("/").has(t, http.StatusOK, `data-testid="balance-available">100<`)
	if res := v.post("/buy", form, "Sec-Fetch-Site", "same-origin"); res.status != http.StatusSeeOther {
		t.Errorf("our own page: got %d", res.status)
	}
}

func TestFormsOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	good := v.get(appPage).form(t, "/buy")
	for field, values := range map[string][]string{
		"nonce": {"", "short", strings.Repeat("G", 32), strings.Repeat("a", 31) + "\n"},
		"plan":  {"", "-1", "3", "99999999999999999999", "1 "},
		"app":   {"", "prov_none"},
	} {
		for _, value := range values {
			form := url.Values{}
			for k := range good {
				form.Set(k, good.Get(k))
			}
			form.Set(field, value)
			v.post("/buy", form).has(t, http.StatusBadRequest, "out of date")
		}
	}
	// A price in the form changes nothing.
	good.Set("tokens_allocated", "1")
	good.Set("plan", "1")
	v.post("/buy", good)
	v.get("/").has(t, http.StatusOK, `data-testid="balance-held">20 set aside<`)
}

func TestLostAnswerBuysOnce(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	form := v.get(appPage).form(t, "/buy")
	form.Set("plan", "1")
	m.loseAnswers(1) // the API sells, and its answer never arrives
	if res := v.post("/buy", form); res.status != http.StatusSeeOther {
		t.Fatalf("got %d %.300s", res.status, res.body)
	}
	v.get("/").has(t, http.StatusOK, `data-testid="balance-available">80<`, `data-testid="balance-held">20 set aside<`)
}

func TestAPIDown(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	v.get("/")
	m.loseAnswers(1000)
	for _, path := range []string{"/", "/history", "/session/complete?session_id=x"} {
		res := v.get(path)
		res.has(t, http.StatusServiceUnavailable, "The till is closed for a moment", "Try again")
		if res.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
	m.loseAnswers(0)
	v.get("/").has(t, http.StatusOK, `data-testid="balance-available">100<`)
}

func TestHeadersAndMarkup(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	id := sessionOf(t, v.buy("0"))
	for _, path := range []string{"/", "/history", "/tokens", appPage, "/nothing", "/session/complete?session_id=" + id, "/consent?session_id=" + id} {
		res := v.get(path)
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := res.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		policy := res.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") ||
			!strings.HasSuffix(policy, "form-action 'self' "+strings.TrimSuffix(appURL, "/")+" "+strings.TrimSuffix(puzzlesURL, "/")) {
			t.Errorf("%s: policy %q", path, policy)
		}
		// What the policy would block anyway.
		for _, bad := range []string{"<style", " style=", " onclick=", "<script>", "javascript:"} {
			if strings.Contains(res.body, bad) {
				t.Errorf("%s: the page has %q", path, bad)
			}
		}
		if strings.Contains(res.body, m.key) {
			t.Errorf("%s: the page shows the API key", path)
		}
	}
	stranger := m.visitor(t)
	if res := stranger.get("/healthz"); res.status != http.StatusNoContent || stranger.cookie != "" {
		t.Errorf("/healthz: got %d and cookie %q", res.status, stranger.cookie)
	}
	home := v.get("/")
	for _, name := range []string{"app.css", "app.js", "mark.svg", "app-prov_demo.svg"} {
		_, rest, ok := strings.Cut(home.body, "/static/"+name)
		query, _, _ := strings.Cut(rest, `"`)
		asset := v.get("/static/" + name + query)
		if !ok || asset.status != http.StatusOK || !strings.Contains(asset.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: got %d, %q", name, asset.status, asset.header.Get("Cache-Control"))
		}
	}
	if css := v.get("/static/app.css"); !strings.HasPrefix(css.body, ":root{--sg-bg:#fff}") {
		t.Error("app.css does not begin with the shared tokens")
	}
}

// TestTimesThatTheBalanceDoesNotBuy marks them, and chooses one that it does.
func TestTimesThatTheBalanceDoesNotBuy(t *testing.T) {
	t.Parallel()
	m := open(t)
	v := m.visitor(t)
	v.buy("2") // 54 of 100 tokens
	v.buy("1")
	v.buy("0") // 16 are left; the middle time costs 20
	v.get("/").has(t, http.StatusOK, "4 tokens short", "38 tokens short", "2 more open", "Choose your time")
	if form := v.get(appPage).form(t, "/buy"); form.Get("plan") != "0" {
		t.Errorf("plan %s is chosen, which cannot be paid", form.Get("plan"))
	}
	m.audit(t)
}
