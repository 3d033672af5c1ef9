package e2e_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestUploadGrace lets an upload that is still coming at the deadline go on for
// the grace and no longer, and nothing else. One that is to end within the grace
// has seconds to spare on both sides.
func TestUploadGrace(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	s.reload(t, strings.Replace(s.caddyfile(""), "provider prov_split", "provider prov_split\n\t\tupload_grace 6s", 1))
	user := s.newUser(t, 1000)
	// send uploads for so long, and returns the answer's status (0: cut) and when it came.
	send := func(b *Client, path string, pace, long time.Duration) (status int, ended time.Time) {
		r, w := io.Pipe()
		defer r.Close()
		go func() {
			for until := time.Now().Add(long); time.Now().Before(until); time.Sleep(pace) {
				if _, err := w.Write(make([]byte, 1024)); err != nil {
					return
				}
			}
			w.Close()
		}()
		resp, err := b.Client.Post(s.App+path, "application/octet-stream", r)
		ended = time.Now()
		if err != nil {
			return 0, ended
		}
		defer resp.Body.Close()
		return resp.StatusCode, ended
	}
	for _, tt := range []struct {
		name, path   string
		seconds      int64
		long         time.Duration // of the upload; one that is to be answered ends itself
		revoked      bool          // as soon as it has begun
		endsAfterDue time.Duration
		status       []int
	}{
		{name: "over within the grace", path: "/upload", seconds: 5, endsAfterDue: 2 * time.Second, status: []int{200}},
		{name: "longer than the grace", path: "/upload", seconds: 5, long: patience, endsAfterDue: 6 * time.Second, status: []int{0, 401}},
		{name: "uploaded, and waiting for its answer", path: "/poll", seconds: 5, long: 100 * time.Millisecond, status: []int{0, 401}},
		{name: "revoked", path: "/upload", seconds: 300, long: patience, revoked: true, status: []int{0, 401}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sold := s.buy(t, terms{User: user, Seconds: s.fewByLink(t, tt.seconds), Tokens: 10, Clock: "launch"})
			b := s.enter(t, sold.LaunchURL)
			due := s.deadlineOf(t, sold.Session.ID)
			asked := due
			it := openRequests.of(sold.Session.ID)
			var did sync.WaitGroup
			if tt.revoked {
				did.Go(func() { <-it.came; asked, due = s.revoke(t, sold.Session.ID) })
			}
			long := tt.long
			if tt.status[0] == http.StatusOK {
				long = time.Until(due.Add(tt.endsAfterDue)) // sales end on a whole second
			}
			status, ended := send(b, tt.path, 20*time.Millisecond, long)
			it.tell() // a case that failed
			did.Wait()
			if status != tt.status[0] && status != tt.status[len(tt.status)-1] {
				t.Errorf("answered %d, want %v", status, tt.status)
			}
			onTime(t, asked.Add(tt.endsAfterDue), due.Add(tt.endsAfterDue), ended)
			if a := page(b, t, "GET", s.App+"/", nil); a.Status != http.StatusUnauthorized {
				t.Errorf("a new request: %d; the grace is the upload's alone", a.Status)
			}
		})
	}
}
