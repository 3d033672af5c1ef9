package main

import (
	"math/rand/v2"
	"testing"
	"time"
)

// All sessions are of the days that were asked for, whatever weekday those begin with.
func TestSoldWithinTheDays(t *testing.T) {
	for day := range 7 {
		end := time.Date(2026, 11, 22+day, 0, 20, 0, 0, time.UTC)
		begin := end.AddDate(0, 0, -365)
		chance := rand.New(rand.NewPCG(1, 2))
		weekend, n := 0, 20_000
		for i := range n {
			at := soldAt(float64(i)/float64(n), begin, end, chance)
			if at.Before(begin) || at.After(end) {
				t.Fatalf("until a %v: sold at %v, which is not between %v and %v", end.Weekday(), at, begin, end)
			}
			if wd := at.Weekday(); wd == time.Saturday || wd == time.Sunday {
				weekend++
			}
		}
		if weekend == 0 || weekend > n*2/7/2 {
			t.Errorf("until a %v: %d of %d on weekends", end.Weekday(), weekend, n)
		}
	}
}
