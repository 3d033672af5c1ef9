package main

import (
	"encoding/json"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// Caddyfiles that use the log encoder's former name still load.
func TestFormerNameOfTheLogEncoder(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"session_gate_lazy", "lazy"} {
		adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte("{\n\tadmin off\n\tlog {\n\t\tformat "+name+" json\n\t}\n}\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		var config caddy.Config
		if err := json.Unmarshal(adapted, &config); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&config); err != nil {
			t.Errorf("format %s: %v", name, err)
		}
	}
}

// The demo's addresses reach its Caddyfile without passing through the
// environment of this process.
func TestVariablesOfTheDemo(t *testing.T) {
	t.Parallel()
	got := withVariables("a {$A:1} {$B} {$C:2} {remote_host}", map[string]string{"A": "x:y", "B": ""})
	if want := "a x:y  {$C:2} {remote_host}"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

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
