package backend_test

import (
	"context"
	"encoding/csv"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

const ofProvider = "/api/v1/providers/prov_demo/sessions"

// found reads which users' sessions a search selects, the newest first.
func (w *world) found(query string) (users []string) {
	w.t.Helper()
	for _, v := range w.call("GET", ofProvider+query, w.provider, nil).want(200).at("sessions").([]any) {
		users = append(users, v.(map[string]any)["user_id"].(string))
	}
	return users
}

func TestProvidersSearchTheirSessions(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		ids := map[string]string{}
		for _, user := range []string{"ada", "adam", "Ada_2", "@bob"} {
			w.credit(user, 1000)
			ids[user] = w.call("POST", "/api/v1/sessions", w.market, order("user_id", user, "duration_limit_seconds", 3600)).want(201).str("session", "id")
			w.clock.Add(24 * time.Hour) // the first is of 2027-01-15
		}
		// A search by status finds what is written; the loop that writes it is not running.
		if _, err := w.b.AdvanceDue(context.Background()); err != nil {
			t.Fatal(err)
		}
		for query, want := range map[string][]string{
			"":                                    {"@bob", "Ada_2", "adam", "ada"},
			"?q=ada":                              {"adam", "ada"},
			"?q=adam":                             {"adam"},
			"?q=" + ids["Ada_2"]:                  {"Ada_2"},
			"?q=" + ids["Ada_2"][:20]:             nil, // an id is whole or none
			"?q=_":                                nil,
			"?from=2027-01-16":                    {"@bob", "Ada_2", "adam"},
			"?to=2027-01-16":                      {"adam", "ada"},
			"?from=2027-01-16&to=2027-01-16&q=ad": {"adam"},
			"?from=2028-01-01":                    nil,
			"?status=expired&q=ad":                {"adam", "ada"},
			"?status=active":                      nil,
			"?user_id=ada":                        {"ada"},
		} {
			if got := w.found(query); !slices.Equal(got, want) {
				t.Errorf("%s finds %v, want %v", query, got, want)
			}
		}
		first := w.call("GET", ofProvider+"?limit=1&q=ad", w.provider, nil).want(200)
		if rest := w.found("?q=ad&cursor=" + first.str("next_cursor")); !slices.Equal(rest, []string{"ada"}) {
			t.Errorf("the second page has %v", rest)
		}
		for _, bad := range []string{"?q=%25", "?from=x", "?to=2027-02-30", "?from=2027-01-02&to=2027-01-01"} {
			w.call("GET", ofProvider+bad, w.provider, nil).want(422, "invalid_request")
		}

		a := w.call("GET", ofProvider+".csv?to=2027-01-18", w.provider, nil)
		rows, err := rowsOf(a)
		if err != nil || a.status != 200 || a.header.Get("Content-Type") != "text/csv; charset=utf-8" || len(rows) != 5 || rows[0][1] != "user_id" {
			t.Fatalf("%d %v: %s", a.status, err, a.raw)
		}
		if rows[1][1] != "'@bob" { // a spreadsheet would run it
			t.Errorf("@bob is written %q", rows[1][1])
		}
		if last := rows[4]; last[1] != "ada" || last[2] != "expired" || last[11] != "100" || last[7] != "deadline" {
			t.Errorf("the last row is %v", last)
		}
		w.call("GET", ofProvider+".csv?from=x", w.provider, nil).want(422, "invalid_request")
	})
}

// rowsOf reads an answer as CSV after its byte order mark.
func rowsOf(a *answer) ([][]string, error) {
	text, ok := strings.CutPrefix(string(a.raw), "\ufeff")
	if !ok {
		return nil, errors.New("no byte order mark")
	}
	return csv.NewReader(strings.NewReader(text)).ReadAll()
}

// What a marketplace names reaches a spreadsheet as text.
func TestSessionsFileHoldsNoFormula(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, reason := range []string{"=HYPERLINK(1)", " =1+1", "\uff1d1+1", "\u00a0\uff0b1", "chargeback"} {
		id, _ := w.sell()
		w.call("POST", "/api/v1/sessions/"+id+"/revoke", w.market, map[string]any{"refund": "full", "reason": reason}).want(200)
	}
	rows, err := rowsOf(w.call("GET", ofProvider+".csv", w.provider, nil))
	if err != nil || len(rows) != 6 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows[1:] {
		if reason := row[7]; reason != "chargeback" && !strings.HasPrefix(reason, "'") {
			t.Errorf("the reason %q would be run", reason)
		}
	}
}

// TestSessionsFileIsWhole reads more than a page of sessions as one file.
func TestSessionsFileIsWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.credit("user_1", 1_000_000)
	const n = 600
	for range n / 20 { // all at once is more than a busy machine writes before calls give up
		together(20, func(int) {
			w.call("POST", "/api/v1/sessions", w.market, order("tokens_allocated", 1)).want(201)
		})
	}
	a := w.call("GET", ofProvider+".csv", w.provider, nil)
	rows, err := rowsOf(a)
	ids := map[string]bool{}
	for _, row := range rows {
		ids[row[0]] = true
	}
	if err != nil || len(rows) != n+1 || len(ids) != n+1 {
		t.Errorf("%d rows of %d sessions, %v", len(rows)-1, len(ids)-1, err)
	}
}
