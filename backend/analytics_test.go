package backend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

const analytics = "/api/v1/providers/prov_demo/analytics/"

func (w *world) rollup() int {
	w.t.Helper()
	n, err := w.b.Rollup(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// Random sessions over three weeks: every day's figures are what the ledger and
// the list of sessions come to.
func TestAnalyticsEqualTheLedger(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		r := rand.New(rand.NewPCG(1, 2))
		first := w.clock.Now().UTC().Format("2006-01-02")
		for u := range 5 {
			w.credit(fmt.Sprint("user_", u), 1_000_000)
		}
		var open []string
		extended := map[string]int64{}
		for range 120 {
			w.clock.Add(time.Duration(r.Int64N(int64(8 * time.Hour))))
			a := w.call("POST", "/api/v1/sessions", w.market, order("user_id", fmt.Sprint("user_", r.IntN(5)),
				"tokens_allocated", r.IntN(500), "duration_limit_seconds", 60+r.IntN(100_000))).want(201)
			id := a.str("session", "id")
			open = append(open, id)
			if r.IntN(4) == 0 {
				w.call("POST", "/api/v1/sessions/"+id+"/extend", w.market, map[string]any{"additional_seconds": 5, "tokens_to_deduct": 3}).want(200)
				extended[id]++
			}
			if r.IntN(3) == 0 {
				i := r.IntN(len(open))
				path := "/api/v1/sessions/" + open[i]
				if r.IntN(2) == 0 {
					w.call("POST", path+"/complete", w.market, nil).want(200)
				} else if a := w.call("POST", path+"/revoke", w.market, map[string]any{"refund": "prorated"}); a.status != 200 && a.status != 409 {
					t.Fatal(a.status)
				}
			}
			if r.IntN(5) == 0 {
				if _, err := w.b.AdvanceDue(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			if r.IntN(20) == 0 {
				w.rollup() // counted in pieces, as it is in life
			}
		}
		w.rollup()
		last := w.clock.Now().UTC().Format("2006-01-02")
		at := "?from=" + first + "&to=" + last
		revenue := w.call("GET", analytics+"revenue"+at, w.provider, nil).want(200)
		sessions := w.call("GET", analytics+"sessions"+at, w.provider, nil).want(200)
		users := w.call("GET", analytics+"users"+at, w.provider, nil).want(200)

		want := map[string]map[string]int64{}
		count := func(at int64, what string, n int64) {
			day := time.Unix(at, 0).UTC().Format("2006-01-02")
			if want[day] == nil {
				want[day] = map[string]int64{}
			}
			want[day][what] += n
			if want[""] == nil {
				want[""] = map[string]int64{}
			}
			want[""][what] += n
		}
		for u := range 5 {
			for cursor := ""; ; {
				a := w.call("GET", fmt.Sprintf("/api/v1/users/user_%d/ledger?limit=500&cursor=%s", u, cursor), w.market, nil).want(200)
				for _, e := range a.at("entries").([]any) {
					e := e.(map[string]any)
					count(int64(e["at"].(float64)), e["kind"].(string), int64(e["amount"].(float64)))
				}
				if cursor = a.str("next_cursor"); cursor == "" {
					break
				}
			}
		}
		seen := map[string]bool{}
		a := w.call("GET", "/api/v1/providers/prov_demo/sessions?limit=200", w.provider, nil).want(200)
		for _, s := range a.at("sessions").([]any) {
			s := s.(map[string]any)
			at := int64(s["created_at"].(float64))
			count(at, "sessions", 1)
			count(at, "tokens", int64(s["tokens_allocated"].(float64)))
			count(at, s["status"].(string), 1)
			count(at, "extensions", extended[s["id"].(string)])
			if key := fmt.Sprint(at/86400, s["user_id"]); !seen[key] {
				seen[key] = true
				count(at, "users", 1)
			}
		}
		check := func(got map[string]any, fields ...string) {
			t.Helper()
			day, _ := got["date"].(string)
			for i := 0; i < len(fields); i += 2 {
				if n := int64(got[fields[i]].(float64)); n != want[day][fields[i+1]] {
					t.Errorf("%q %s: %d, want %d", day, fields[i], n, want[day][fields[i+1]])
				}
			}
		}
		for _, c := range []struct {
			a      *answer
			fields []string
		}{
			{revenue, []string{"captured", "capture", "released", "release", "held", "hold"}},
			{sessions, []string{"sessions", "sessions", "tokens_allocated", "tokens", "completed", "completed", "revoked", "revoked", "extensions", "extensions"}},
			{users, []string{"users", "users"}},
		} {
			for _, d := range c.a.at("days").([]any) {
				check(d.(map[string]any), c.fields...)
			}
			check(c.a.at("total").(map[string]any), c.fields...)
		}
		if n := users.num("total", "new_users"); n != 5 {
			t.Errorf("%d new users", n)
		}
		if want[""]["capture"] == 0 || want[""]["extensions"] == 0 || want[""]["release"] == 0 || len(want) < 15 {
			t.Errorf("the test tests little: %v", want[""])
		}
		stats := w.call("GET", "/api/v1/providers/prov_demo/stats", w.provider, nil).want(200)
		if stats.num("total", "captured") != want[""]["capture"] || stats.num("total", "users") != 5 || stats.num("live", "active") == 0 || stats.num("as_of") == 0 {
			t.Errorf("%s", stats.raw)
		}
		w.audit()
	})
}

func TestAnalyticsAsCSV(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sell()
	w.rollup()
	for name, columns := range map[string]int{"sessions": 11, "revenue": 5, "users": 4} {
		a := w.call("GET", analytics+name+".csv", w.provider, nil)
		if a.status != 200 || a.header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.Contains(a.header.Get("Content-Disposition"), name) {
			t.Fatalf("%s: %d %v", name, a.status, a.header)
		}
		rows, err := rowsOf(a)
		if err != nil || len(rows) != 31 || len(rows[0]) != columns || rows[0][0] != "date" {
			t.Errorf("%s: %d rows, %v, %v", name, len(rows), rows[0], err)
		}
	}
	for _, bad := range []string{"?from=2027-13-01", "?from=x", "?from=2027-01-02&to=2027-01-01", "?from=2000-01-01"} {
		w.call("GET", analytics+"revenue"+bad, w.provider, nil).want(422, "invalid_request")
	}
}

// What pages notice is counted by day and name, and says nothing of whom.
func TestPageEventsAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	notice := func(session, id string, names ...string) {
		t.Helper()
		var list []any
		for _, n := range names {
			list = append(list, map[string]any{"name": n, "at": 1, "props": map[string]string{"path": "/secret-of-user_1"}})
		}
		w.call("POST", "/api/v1/sessions/"+id+"/events", session, map[string]any{"events": list}).want(202)
	}
	first, a := w.sell()
	second, b := w.sell()
	notice(w.enter(a), first, "export", "export", "open")
	notice(w.enter(b), second, "export")
	w.clock.Add(24 * time.Hour)
	third, c := w.sell()
	notice(w.enter(c), third, "open")

	got := w.call("GET", analytics+"events?from=2027-01-15&to=2027-01-16", w.provider, nil).want(200)
	var body struct {
		Events, Totals []struct {
			Date, Name       string
			Events, Sessions int
		}
	}
	if err := json.Unmarshal(got.raw, &body); err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprint(body); s != "{[{2027-01-15 export 3 2} {2027-01-15 open 1 1} {2027-01-16 open 1 1}] [{ export 3 2} { open 2 2}]}" {
		t.Errorf("counted %s", s)
	}
	if strings.Contains(string(got.raw), "user_1") {
		t.Errorf("the counts name a user: %s", got.raw)
	}
	rows := w.call("GET", analytics+"events.csv?from=2027-01-15&to=2027-01-16", w.provider, nil).want(200)
	if string(rows.raw) != "\ufeffdate,name,events,sessions\n2027-01-15,export,3,2\n2027-01-15,open,1,1\n2027-01-16,open,1,1\n" {
		t.Errorf("as CSV %q", rows.raw)
	}
}

// A provider's page follows its sessions, and nobody else's, with its key in a
// header or, from a browser, among the subprotocols.
func TestLiveFollowsSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	url := strings.Replace(w.url, "http", "ws", 1) + "/api/v1/providers/prov_demo/live"
	for name, options := range map[string]*websocket.DialOptions{
		"header":      {HTTPHeader: http.Header{"Authorization": {"Bearer " + w.provider}}},
		"an admin":    {HTTPHeader: http.Header{"Authorization": {"Bearer " + w.admin}}},
		"subprotocol": {Subprotocols: []string{"sessiongate.live", "sessiongate.key." + w.provider}},
	} {
		conn, _, err := websocket.Dial(ctx, url, options)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		id, _ := w.sell()
		told := map[string]bool{}
		for !told["session"] || !told["counts"] {
			var m struct {
				Type    string
				Counts  map[string]int64
				Session map[string]any
			}
			if err := wsjson.Read(ctx, conn, &m); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			told[m.Type] = true
			if m.Type == "session" && m.Session["id"] != id {
				t.Errorf("%s: told of %v", name, m.Session["id"])
			}
			if m.Type == "counts" && told["session"] && m.Counts["active"] == 0 {
				t.Errorf("%s: counts %v", name, m.Counts)
			}
		}
		conn.Close(websocket.StatusNormalClosure, "")
	}
	for name, key := range map[string]string{"nobody": "", "the marketplace": w.market} {
		_, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + key}}})
		if err == nil || resp == nil || resp.StatusCode < 401 {
			t.Errorf("%s follows: %v", name, err)
		}
	}
	_, resp, err := websocket.Dial(ctx, strings.Replace(url, "prov_demo", "prov_none", 1), &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + w.admin}}})
	if err == nil || resp == nil || resp.StatusCode != 404 {
		t.Errorf("an admin follows nobody: %v", err)
	}
}
