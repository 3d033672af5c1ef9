package sessiongate_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxFile is the largest tracked file that is no picture, in bytes.
const maxFile = 1 << 20

var (
	pictures = []string{".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".ico"}

	// machinePath is a path below somebody's home directory. A path of a URL,
	// as in /Users/ada/settings, is none.
	machinePath = regexp.MustCompile(`(?:^|[\s"'=(:])(?:/home/[a-z][\w.-]*/|/root/|/Users/[\w.-]+/(?:Desktop|Documents|Library|code|dev|go|projects|src)/|[A-Z]:\\Users\\)`)

	// registryHost is where a lockfile or a package manager's configuration names
	// the registry. A checkout uses the registry of the machine that it is on.
	registryHost = regexp.MustCompile(`"resolved":\s*"https?://|(?m)^\s*(?:@[\w-]+:)?registry\s*=\s*https?://|\bGOPROXY=https?://|\bindex-url\b`)
)

// tracked lists the files in Git, as paths from the root.
func tracked(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	return slices.DeleteFunc(strings.Split(string(out), "\x00"), func(name string) bool {
		_, err := os.Lstat(name)
		return name == "" || os.IsNotExist(err) // removed, and not committed yet
	})
}

// TestTrackedFiles refuses what does not belong in a repository of sources:
// large files that are no pictures, programs, and names of one machine.
func TestTrackedFiles(t *testing.T) {
	files := tracked(t)
	if len(files) < 100 {
		t.Fatalf("Git lists %d files", len(files))
	}
	for _, name := range files {
		info, err := os.Lstat(name)
		if err != nil {
			t.Fatal(err)
		}
		if !info.Mode().IsRegular() {
			continue
		}
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range problems(name, body) {
			t.Errorf("%s %s", name, problem)
		}
	}
}

// problems says why a file may not be committed.
func problems(name string, body []byte) []string {
	var found []string
	picture := slices.Contains(pictures, strings.ToLower(filepath.Ext(name)))
	if len(body) > maxFile && !picture {
		found = append(found, "is larger than 1 MB")
	}
	if program(body) {
		found = append(found, "is a compiled program")
	}
	if bytes.IndexByte(body[:min(len(body), 8000)], 0) >= 0 || filepath.Base(name) == "repo_test.go" {
		return found // not text, or the examples below
	}
	if m := machinePath.Find(body); m != nil {
		found = append(found, "names a path of one machine: "+strings.TrimSpace(string(m)))
	}
	if m := registryHost.Find(body); m != nil {
		found = append(found, "names a package registry: "+strings.TrimSpace(string(m)))
	}
	return found
}

// program reports whether body begins as an ELF, Mach-O or PE file does.
func program(body []byte) bool {
	if len(body) < 4 {
		return false
	}
	switch binary.BigEndian.Uint32(body) {
	case 0x7f454c46, // ELF
		0xfeedface, 0xfeedfacf, 0xcefaedfe, 0xcffaedfe, 0xcafebabe: // Mach-O, also for several processors
		return true
	}
	if !bytes.HasPrefix(body, []byte("MZ")) || len(body) < 64 {
		return false
	}
	at := uint64(binary.LittleEndian.Uint32(body[60:]))
	return at+4 <= uint64(len(body)) && string(body[at:at+4]) == "PE\x00\x00"
}

func TestProblemsOfTrackedFiles(t *testing.T) {
	pe := make([]byte, 80)
	copy(pe, "MZ")
	pe[60] = 64
	copy(pe[64:], "PE\x00\x00")
	for _, tt := range []struct {
		name, body string
		want       int
	}{
		{"a.txt", "plain", 0},
		{"a.txt", strings.Repeat("a", maxFile+1), 1},
		{"a.png", strings.Repeat("a", maxFile+1), 0},
		{"sessiongate", "\x7fELF\x02", 1},
		{"sessiongate.png", "\xcf\xfa\xed\xfe", 1},
		{"sessiongate.exe", string(pe), 1},
		{"MZ.md", "MZ is how a program for Windows begins, in its first two bytes of many more than sixty.", 0},
		{"a.sh", "cd /home/ada/src", 1},
		{"a.md", "`GET /Users/ada/settings`", 0},
		{"a.json", `"dir": "/Users/ada/src/x"`, 1},
		{"package-lock.json", `{"resolved": "https://registry.example/x.tgz"}`, 1},
		{".npmrc", "save-exact=true\nregistry = https://registry.example/", 1},
	} {
		if got := problems(tt.name, []byte(tt.body)); len(got) != tt.want {
			t.Errorf("%s %.40q: %q", tt.name, tt.body, got)
		}
	}
}

// TestWorkspaceChangesNoVersion compares the versions that the workspace selects
// with those of go.mod alone: a test runs what a release links.
func TestWorkspaceChangesNoVersion(t *testing.T) {
	versions := func(env ...string) map[string]string {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Version}}{{end}}", "./cmd/sessiongate")
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		found := make(map[string]string)
		for line := range strings.Lines(string(out)) {
			if path, version, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				found[path] = version
			}
		}
		return found
	}
	alone := versions("GOWORK=off")
	for path, version := range versions("GOWORK=") {
		if alone[path] != version {
			t.Errorf("%s: %q in the workspace, %q in go.mod", path, version, alone[path])
		}
	}
	if len(alone) < 50 {
		t.Errorf("the program has %d modules", len(alone))
	}
}
