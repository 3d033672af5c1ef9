package lint

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
		example := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(unit), "sessiongate-"), ".service") + ".env"
		if !strings.Contains(string(text), "EnvironmentFile=/etc/sessiongate/"+example+"\n") {
			t.Errorf("%s does not take its settings from %s", unit, example)
		}
	}
}

// TestVariablesAreRead: what the files set is something the program, or the
// Caddyfile that they start it with, takes.
func TestVariablesAreRead(t *testing.T) {
	t.Parallel()
	var readers strings.Builder
	sources, err := filepath.Glob("../../cmd/sessiongate/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(sources, "../Caddyfile", "../compose.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if file == "../compose.yaml" { // what it takes from .env
			text = regexp.MustCompile(`(?m)^ +SESSIONGATE_[A-Z_]+:`).ReplaceAll(text, nil)
		}
		readers.Write(text)
	}
	found := 0
	for _, file := range []string{"../systemd/backend.env", "../systemd/edge.env", "../compose.env.example", "../compose.yaml", "../kubernetes/secrets.yaml", "../kubernetes/edge.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^[ #]*(?:- name: )?(SESSIONGATE_[A-Z_]+)(?:[:=]|$)`).FindAllStringSubmatch(string(text), -1) {
			found++
			if !strings.Contains(readers.String(), m[1]) {
				t.Errorf("%s sets %s, which nothing reads", file, m[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d variables were found", found)
	}
}
