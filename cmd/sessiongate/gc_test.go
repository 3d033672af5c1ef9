package main

import "testing"

func TestCollectorPercent(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	for alive, want := range map[uint64]int{
		0: 100, 1: 1000, 2 * mb: 1000, 4 * mb: 700, 8 * mb: 300, 16 * mb: 100, 20 * mb: 100, 32 * mb: 100, 4 << 30: 100,
	} {
		if got := collectorPercent(alive); got != want {
			t.Errorf("with %d bytes alive: %d %%, want %d", alive, got, want)
		}
	}
}
