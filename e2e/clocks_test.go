package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/internal/doctor"
)

// noRules predict nothing.
type noRules struct{}

func (noRules) Predict(*doctor.Page) (string, bool)              { return "content_type", false }
func (noRules) Blocks(*doctor.Page, string, string) (bool, bool) { return false, false }

// TestDoctorComparesClocks: the doctor says which of three clocks differ: this machine's,
// the edge's, and the session service's.
func TestDoctorComparesClocks(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, patients(t).URL)
	raw := cookieOf(t, s.enter(t, s.buy(t, terms{User: s.newUser(t, 100), Seconds: 600, Tokens: 10}).LaunchURL), s.App)
	target, err := url.Parse(s.App)
	if err != nil {
		t.Fatal(err)
	}
	// before is a proxy that answers with another Date, as an edge with a wrong clock does.
	before := func(change func(http.Header)) string {
		proxy := httputil.NewSingleHostReverseProxy(target)
		proxy.ModifyResponse = func(r *http.Response) error { change(r.Header); return nil }
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Host = target.Host
			proxy.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	date := func(by time.Duration) func(http.Header) {
		return func(h http.Header) { h.Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat)) }
	}
	clockOf := func(by time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(by) } }
	for name, tt := range map[string]struct {
		address       string
		now           func() time.Time
		edge, service string // the beginning of the check's grade and its text
	}{
		"all agree":                       {s.App, nil, "ok the clock of the edge agrees", "ok the session service's clock agrees"},
		"this machine is a minute behind": {s.App, clockOf(-time.Minute), "warning ahead of this machine's", "ok the session service's clock agrees"},
		"this machine is an hour ahead":   {s.App, clockOf(time.Hour), "warning behind this machine's", "ok the session service's clock agrees"},
		"the edge is a day behind":        {before(date(-24 * time.Hour)), nil, "warning behind this machine's", "warning ahead of the edge's"},
		"the edge is five minutes ahead":  {before(date(5 * time.Minute)), nil, "warning ahead of this machine's", "warning behind the edge's"},
		"the edge shows no clock":         {before(func(h http.Header) { h.Set("Date", "-") }), nil, "not_checked no Date header", ""},
	} {
		address, err := url.Parse(tt.address + "/page")
		if err != nil {
			t.Fatal(err)
		}
		r := doctor.Run(t.Context(), doctor.Config{URL: address, Session: raw, Now: tt.now, Rules: noRules{}})
		var said []string
		for _, c := range r.Checks {
			if c.Name == "time" {
				said = append(said, string(c.Grade)+" "+c.Found)
				if (c.Grade == doctor.Warning) != strings.Contains(c.Remedy, "chrony") {
					t.Errorf("%s: the remedy is %q", name, c.Remedy)
				}
			}
		}
		for i, want := range []string{tt.edge, tt.service} {
			grade, text, _ := strings.Cut(want, " ")
			if want == "" && len(said) > i || want != "" && (len(said) <= i || !strings.HasPrefix(said[i], grade+" ") || !strings.Contains(said[i], text)) {
				t.Errorf("%s: said %q, want %q", name, said, []string{tt.edge, tt.service})
			}
		}
	}
}
