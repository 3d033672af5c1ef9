package lint

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSystemdUnits asks systemd itself: whether the units are right, and how far
// each is closed (its scale goes from 0, closed, to 10; the threshold is in tenths).
func TestSystemdUnits(t *testing.T) {
	t.Parallel()
	units, err := filepath.Glob("../systemd/*.service")
	if err != nil || len(units) != 2 {
		t.Fatalf("%d units, %v", len(units), err)
	}
	// The program need not be installed where the tests run.
	dir := t.TempDir()
	program := filepath.Join(dir, "sessiongate")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(dir, filepath.Base(unit))
		if err := os.WriteFile(copied, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/sessiongate", program)), 0o644); err != nil {
			t.Fatal(err)
		}
		// What it does not know it warns of, and ends with 0.
		if out, err := exec.Command("systemd-analyze", "verify", "--man=no", copied).CombinedOutput(); err != nil || strings.Contains(string(out), filepath.Base(unit)) {
			t.Errorf("%s: %v\n%s", unit, err, out)
		}
		if out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", copied).CombinedOutput(); err != nil {
			t.Errorf("%s is too open: %v\n%s", unit, err, out)
		}
		// Each variable that the example file sets is one the program reads.
		if !strings.Contains(string(text), "EnvironmentFile=/etc/sessiongate/") {
			t.Errorf("%s takes its secrets from nowhere", unit)
		}
	}
}
