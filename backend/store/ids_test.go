package store

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestIDsHaveTheOrderOfTime(t *testing.T) {
	t.Parallel()
	var s idSource
	at := time.Unix(1_800_000_000, 123_456_789)
	previous := ""
	for i := range 10_000 {
		id := s.next(at.Add(time.Duration(i/100) * time.Microsecond))
		if u, err := uuid.Parse(id); err != nil || u.Version() != 7 || u.Variant() != uuid.RFC4122 {
			t.Fatalf("%s: %v", id, err)
		}
		if id <= previous {
			t.Fatalf("%s after %s", id, previous)
		}
		previous = id
	}
	if first := FirstID(at); s.next(at) < first || FirstID(at.Add(time.Second)) < previous || FirstID(at.Add(-time.Millisecond)) >= first {
		t.Errorf("the first id of the moment is %s", first)
	}
}

// A clock that is set back takes the ids along: they say when something happened.
func TestIDsFollowAClockThatIsSetBack(t *testing.T) {
	t.Parallel()
	var s idSource
	at := time.Unix(1_800_000_000, 0)
	later := s.next(at.Add(time.Hour))
	if now := s.next(at); now > later || now < FirstID(at) {
		t.Errorf("%s after %s", now, later)
	}
	if drift := s.next(at.Add(-time.Millisecond)); drift < FirstID(at) {
		t.Errorf("%s is not in order", drift)
	}
}
