package webhook

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var now = time.Unix(1_800_000_000, 0)

func TestSchedule(t *testing.T) {
	t.Parallel()
	at := Result{At: now, Took: time.Second}
	answered := func(code int, retryAfter time.Duration) Result {
		r := at
		r.Code, r.RetryAfter = code, retryAfter
		return r
	}
	for name, c := range map[string]struct {
		try    int
		r      Result
		random float64
		want   Decision
	}{
		"taken":                      {1, answered(204, 0), 0, Decision{Status: Delivered}},
		"taken at last":              {8, answered(200, 0), 0, Decision{Status: Delivered}},
		"a redirect is no taking":    {1, answered(302, 0), 0, Decision{Status: Pending, Next: now.Add(6 * time.Second)}},
		"no answer":                  {2, at, 0, Decision{Status: Pending, Next: now.Add(time.Second + 5*time.Minute)}},
		"with all the jitter":        {1, at, 1, Decision{Status: Pending, Next: now.Add(7 * time.Second)}},
		"the last wait":              {7, at, 0, Decision{Status: Pending, Next: now.Add(time.Second + 10*time.Hour)}},
		"given up":                   {8, answered(500, 0), 0, Decision{Status: Failed}},
		"gone":                       {1, answered(410, time.Hour), 0, Decision{Status: Failed, Gone: true}},
		"asked to wait":              {1, answered(429, time.Minute), 0, Decision{Status: Pending, Next: now.Add(61 * time.Second)}},
		"asked to wait less":         {3, answered(503, time.Minute), 0, Decision{Status: Pending, Next: now.Add(time.Second + 30*time.Minute)}},
		"asked to wait for a decade": {1, answered(503, 1e5*time.Hour), 0, Decision{Status: Pending, Next: now.Add(time.Second + 24*time.Hour)}},
	} {
		if got := Decide(c.try, c.r, c.random); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
	for value, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, "-5": 0, "soon": 0, "99999999999999": 0,
		now.Add(time.Minute).UTC().Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).UTC().Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}

// The vector of the Standard Webhooks specification's own libraries.
func TestSignature(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	got, err := Sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want || err != nil {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
	for _, bad := range []string{"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_?"} {
		if _, err := Sign(bad, "m", now, nil); !errors.Is(err, ErrSecret) || strings.Contains(err.Error(), "MfKQ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if a, b := NewSecret(), NewSecret(); a == b || !strings.HasPrefix(a, "whsec_") {
		t.Error("secrets repeat")
	}
}

func TestGuardAtRegistration(t *testing.T) {
	t.Parallel()
	names := map[string][]string{
		"public.example": {"93.184.216.34", "2606:2800:220:1::1"}, "inside.example": {"10.0.0.1"}, "metadata.example": {"169.254.169.254"},
		"half.example": {"93.184.216.34", "::ffff:127.0.0.1"}, "mapped.example": {"::ffff:93.184.216.34"}, "home.example": {"127.0.0.1"},
	}
	resolve := func(_ context.Context, host string) ([]netip.Addr, error) {
		var list []netip.Addr
		for _, a := range names[host] {
			list = append(list, netip.MustParseAddr(a))
		}
		return list, nil
	}
	strict, demo := Guard{Resolve: resolve}, Guard{Resolve: resolve, AllowLoopback: true}
	for url, want := range map[string][2]bool{ // strict, demo
		"https://public.example/x":   {true, true},
		"https://mapped.example/":    {true, true},
		"https://public.example.:8/": {true, true},
		"http://public.example/":     {false, false},
		"https://inside.example/":    {false, false},
		"https://metadata.example/":  {false, false},
		"https://half.example/":      {false, true},
		"https://nowhere.example/":   {false, false},
		"https://home.example/":      {false, true},
		"http://home.example/":       {false, true},
		"http://half.example/":       {false, false},
		"http://[::1]:8/":            {false, true},
		"https://[fe80::1%25eth0]/":  {false, false},
	} {
		for i, g := range []Guard{strict, demo} {
			if err := g.Check(t.Context(), url); (err == nil) != want[i] || (err != nil && !errors.Is(err, ErrURL)) {
				t.Errorf("%s, loopback %v: %v", url, g.AllowLoopback, err)
			}
		}
	}
}

// What a name meant when it was registered does not count: the address that is
// called does. Redirects are not followed there either.
func TestGuardAtTheCall(t *testing.T) {
	t.Parallel()
	called := 0
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called++ }))
	defer inside.Close()
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	strict := NewSender(Guard{}, func() time.Time { return now })
	defer strict.Close()
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		r, err := strict.Send(t.Context(), Message{ID: "m", URL: "http://" + host + port, Secrets: []string{NewSecret()}})
		if err != nil || r.Code != 0 || r.Response != "the host is not a public address" {
			t.Errorf("%s: %+v, %v", host, r, err)
		}
	}
	if called != 0 {
		t.Fatal("called")
	}
	outside := httptest.NewServer(http.RedirectHandler(inside.URL, http.StatusTemporaryRedirect))
	defer outside.Close()
	demo := NewSender(Guard{AllowLoopback: true}, func() time.Time { return now })
	defer demo.Close()
	r, err := demo.Send(t.Context(), Message{ID: "m", URL: outside.URL, Secrets: []string{NewSecret()}})
	if err != nil || r.Code != 307 || r.OK() || called != 0 {
		t.Errorf("%+v, %v, called %d times", r, err, called)
	}
}

func TestAnswersAreCapped(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("\xff\x00" + strings.Repeat("x", 1<<20)))
	}))
	defer server.Close()
	s := NewSender(Guard{AllowLoopback: true}, func() time.Time { return now })
	defer s.Close()
	r, err := s.Send(t.Context(), Message{ID: "m", URL: server.URL, Secrets: []string{NewSecret()}})
	if err != nil || !r.OK() || len(r.Response) > maxResponse+8 || !strings.HasPrefix(r.Response, "\uFFFD\uFFFDx") {
		t.Errorf("%d bytes, %v", len(r.Response), err)
	}
}
