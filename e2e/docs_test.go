package e2e_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAPIDocument runs every command of docs/api.md, in order, in one shell.
func TestAPIDocument(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	script.WriteString("set -euo pipefail\n")
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(doc), -1)
	if len(blocks) < 6 {
		t.Fatalf("docs/api.md has %d blocks of commands", len(blocks))
	}
	for _, b := range blocks {
		script.WriteString(b[1])
	}
	s := Start(t)
	cmd := exec.Command("bash", "-c", script.String())
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "API="+s.API, "MARKETPLACE_KEY="+s.MarketplaceKey, "PROVIDER="+s.ProviderID, "RETURN="+s.Marketplace)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{`"launch_url":`, `"available":400`, `"captured":120`, `"keys":`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the commands never printed %s:\n%s", want, out)
		}
	}
}

// TestQuickStart runs every command of docs/quick-start.md, in order, in one
// shell, with other ports than the page's.
func TestQuickStart(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/quick-start.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	script.WriteString("set -euo pipefail\n")
	for _, b := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(doc), -1) {
		script.WriteString(b[1])
	}
	base := freePorts(t)
	ports := strings.NewReplacer(
		"127.0.0.1:8081", "127.0.0.1:"+strconv.Itoa(base), "127.0.0.1:8082", "127.0.0.1:"+strconv.Itoa(base+1),
		"127.0.0.1:3000", "127.0.0.1:"+strconv.Itoa(base+2))
	// The checkout's folder, as far as the page needs it.
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	program, err := filepath.Abs(Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(dir, "bin", "sessiongate")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, only{os.DirFS(".."), "Caddyfile.example"}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-c", ports.Replace(script.String()))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "SESSIONGATE_ADMIN=127.0.0.1:"+strconv.Itoa(base+3))
	// What it leaves in the background when it fails goes with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	var out Log
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) })
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{
		`"code":"session_missing"`, `"available":500`, "/.session-gate/boot.", "<h1>My app</h1>", `"status":"completed"`,
		`"code":"session_completed"`, "WARNING      origin lock",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the commands never printed %s:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "FAILED") {
		t.Errorf("the page says that no check fails:\n%s", out.String())
	}
}

// only is one file of a folder.
type only struct {
	fs.FS
	name string
}

// ReadDir implements [fs.ReadDirFS].
func (o only) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(o.FS, name)
	return slices.DeleteFunc(all, func(e fs.DirEntry) bool { return e.Name() != o.name }), err
}

// TestDocumentsLinkToWhatExists follows every relative link of every document,
// to the heading if it names one.
func TestDocumentsLinkToWhatExists(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"../*.md", "../.github/*.md", "../docs/*.md", "../docs/*/*.md"} {
		list, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, list...)
	}
	link := regexp.MustCompile(`\]\(([^):#]*)(?:#([^)]*))?\)`)
	followed := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			followed++
			target := file
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(file), m[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			} else if m[2] != "" && !slices.Contains(headings(t, target), m[2]) {
				t.Errorf("%s links to %s#%s, and there is no such heading", file, m[1], m[2])
			}
		}
	}
	if followed < 50 {
		t.Errorf("only %d links were found; does the pattern still fit?", followed)
	}
}

var code = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")

// headings is what a document's headings are called in links.
func headings(t *testing.T, file string) (names []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(text), -1) {
		name := regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		names = append(names, strings.ReplaceAll(strings.TrimSpace(name), " ", "-"))
	}
	return names
}

// TestSecurityNamesTestsThatExist holds docs/security.md and docs/privacy.md to
// the tests that they say show each claim.
func TestSecurityNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := os.ReadFile("../docs/privacy.md")
	if err != nil {
		t.Fatal(err)
	}
	doc = append(doc, more...)
	var all strings.Builder
	for _, pattern := range []string{"*_test.go", "attack/*_test.go", "../caddymodule/*_test.go", "../caddymodule/*/*_test.go", "../internal/*/*_test.go", "../backend/*_test.go", "../backend/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z]+)`").FindAllStringSubmatch(string(doc), -1)
	for _, m := range named {
		if !strings.Contains(all.String(), "func "+m[1]+"(t *testing.T)") && !strings.Contains(all.String(), "func "+m[1]+"(f *testing.F)") {
			t.Errorf("the pages name %s, which is nowhere", m[1])
		}
	}
	if len(named) < 40 {
		t.Errorf("the pages name %d tests only", len(named))
	}
}
