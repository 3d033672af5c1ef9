package live

import (
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// Requests that the old cookie admitted end with a new link, those of the new one do not,
// and none is admitted with the old one that was judged a moment before.
func TestRelaunchCutsTheOldBrowser(t *testing.T) {
	t.Parallel()
	l := NewStore(func() int64 { return time.Now().UnixMilli() })
	s := l.Put(state("a", 1, protocol.Active, time.Hour), 1)
	l.BindToken("old", s)
	var cut []string
	open := func(name string, link uint16) (*Registration, protocol.Code) {
		o := &Registration{Link: link, Cutter: &request{then: func() { cut = append(cut, name) }}}
		return o, s.Register(o)
	}
	for _, name := range []string{"first", "second"} {
		if _, code := open(name, 0); code != "" {
			t.Fatalf("%s: %q", name, code)
		}
	}
	early, code := open("from the new link, before the news", 1)
	if code != "" {
		t.Fatal(code)
	}
	again := state("a", 2, protocol.Active, time.Hour)
	again.Relaunches = 1
	s.Apply(again, 2)
	if len(cut) != 2 || s.OpenRequests() != 1 {
		t.Fatalf("cut %v, %d open", cut, s.OpenRequests())
	}
	if _, code := open("late", 0); code != protocol.SessionMoved {
		t.Errorf("a request with the old cookie is admitted: %q", code)
	}
	if found, link := l.Find("old"); found != s || s.RefusalOf(link) != protocol.SessionMoved {
		t.Errorf("the old token is refused with %q", s.RefusalOf(link))
	}
	s.Release(early)
	if s.OpenRequests() != 0 {
		t.Error("a request of the new link is still listed")
	}
	if got := s.Record().State().Relaunches; got != 1 {
		t.Errorf("the state says %d relaunches", got)
	}
	// Once the session is over, every cookie is told that it is.
	s.Apply(state("a", 3, protocol.Completed, 0), 3)
	if code := s.RefusalOf(0); code != protocol.SessionCompleted {
		t.Errorf("after the end: %q", code)
	}
}
