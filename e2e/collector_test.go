package e2e_test

import (
	"net/http"
	"regexp"
	"strconv"
	"testing"
)

var gogc = regexp.MustCompile(`(?m)^go_gc_gogc_percent ([0-9.e+]+)$`)

// TestCollectorIsSpared lets the edge's small heap grow before it is collected,
// unless the operator sets GOGC.
func TestCollectorIsSpared(t *testing.T) {
	t.Parallel()
	percent := func(s *Split) float64 {
		t.Helper()
		a := s.askAdmin(t, "GET", "/metrics", "")
		found := gogc.FindSubmatch(a.Body)
		if a.Status != http.StatusOK || found == nil {
			t.Fatalf("no go_gc_gogc_percent: %d", a.Status)
		}
		n, err := strconv.ParseFloat(string(found[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := percent(StartSplit(t, origin(t).URL, "GOGC=100")); n != 100 {
		t.Errorf("with GOGC=100 it is %v", n)
	}
	s := StartSplit(t, origin(t).URL)
	// After the first collection.
	eventually(t, func() bool { return percent(s) > 100 }, func() string { return "the collector runs less often" })
}
