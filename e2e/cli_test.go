package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// command runs the program in a folder of its own and returns what it said.
func command(t testing.TB, dir string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(Binary(t), args...)
	cmd.Env = append(os.Environ(), "HOME="+dir, "SESSIONGATE_DATA="+dir)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestCommandLineMistakes(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	port := busy.Addr().(*net.TCPAddr).Port
	for _, tt := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"demo", "--base-port", "70000"}, 2, "must be between"},
		{[]string{"demo", "--base-port", "x"}, 2, "invalid argument"},
		{[]string{"demo", "--duration", "1500ms"}, 2, "must be"},
		{[]string{"demo", "--origin", "localhost:3000"}, 2, "must be a URL like http://"},
		{[]string{"demo", "--origin", "http://127.0.0.1:3000/app"}, 2, "scheme, host and port"},
		{[]string{"demo", "extra"}, 2, "Try: sessiongate demo --help"},
		{[]string{"demo", "--nonsense"}, 2, "unknown flag"},
		{[]string{"demo", "--base-port", fmt.Sprint(port)}, 1, "choose another range with --base-port"},
		{[]string{"backend", "--listen", busy.Addr().String()}, 1, "in use; stop the program that listens there"},
		{[]string{"backend", "--database", "mysql://x"}, 1, "sqlite: or postgres://"},
		{[]string{"backend", "--edge-host", "edge.example.com,https://edge.example.com"}, 1, "edge host \"https://edge.example.com\" must be a name"},
		{[]string{"backend", "--log-level", "loud"}, 2, "debug, info, warn or error"},
		{[]string{"apikey"}, 2, "a command is missing"},
		{[]string{"apikey", "create", "--role", "emperor"}, 2, "marketplace, provider, edge or admin"},
		{[]string{"apikey", "create", "--role", "provider"}, 2, "--provider"},
		{[]string{"apikey", "portal"}, 2, "--provider is missing"},
		{[]string{"apikey", "portal", "--provider", "p", "--expires", "1s"}, 2, "from 1m to 168h"},
		{[]string{"apikey", "portal", "--provider", "p", "--issuer", "example.com"}, 2, "an http or https URL"},
		{[]string{"apikey", "portal", "--provider", "p"}, 1, "no database at"},
		{[]string{"apikey", "list"}, 1, "no database at"},
		{[]string{"apikey", "create", "--role", "edge", "--marketplace", "mkt_x"}, 2, "--marketplace requires --role marketplace"},
		{[]string{"apikey", "create", "--role", "marketplace", "--marketplace", "mkt_x"}, 1, "no database at"},
		{[]string{"marketplace"}, 2, "a command is missing"},
		{[]string{"marketplace", "create"}, 2, "Try:"},
		{[]string{"marketplace", "list"}, 1, "no database at"},
		{[]string{"people", "list"}, 1, "no database at"},
		{[]string{"people", "add", "ada@example.com", "--role", "admin"}, 1, "no database at"},
		{[]string{"people", "remove", "x"}, 1, "no database at"},
		{[]string{"apikey", "create", "--role", "provider", "--provider", "p"}, 1, "no database at"},
		{[]string{"backup", "copy.db"}, 1, "no database at"},
		{[]string{"keys", "turn"}, 2, `unknown command "turn"; expected one of: list, rotate`},
		{[]string{"token", "inspect"}, 2, "Try:"},
		{[]string{"token", "inspect", "no-jwt"}, 1, "not a JWT: expected three dot-separated parts"},
		{[]string{"token", "inspect", "https://app.example/"}, 1, "must be a launch link"},
		{[]string{"doctor"}, 2, "the URL to check is missing"},
		{[]string{"upgrade"}, 2, "a Caddy without Sessiongate"},
		{[]string{"add-package", "example.com/module"}, 2, "xcaddy.txt"},
	} {
		status, _, stderr := command(t, t.TempDir(), tt.args...)
		if status != tt.status || !strings.Contains(stderr, tt.says) {
			t.Errorf("sessiongate %s: status %d, said %q; want status %d and %q in it",
				strings.Join(tt.args, " "), status, stderr, tt.status, tt.says)
		}
	}
}

// TestTheProgramSaysWhatItIs: the version and the help name Sessiongate, the help
// lists our commands in groups, and it names no command that the program refuses.
func TestTheProgramSaysWhatItIs(t *testing.T) {
	t.Parallel()
	commands := []string{"demo", "backend", "run", "apikey", "keys", "marketplace", "people", "doctor", "token", "backup"}
	for _, tt := range []struct {
		args     []string
		says     []string
		saysNone []string
	}{
		{[]string{"version"}, []string{"Sessiongate ", ", Caddy v2."}, nil},
		{[]string{"--version"}, []string{"Sessiongate ", ", Caddy v2."}, nil},
		{
			[]string{"--help"},
			[]string{
				"coin slot", "sessiongate demo", "sessiongate run --config Caddyfile", "Usage:\n  sessiongate [command]",
				"Run Sessiongate:\n  backend ", "Manage keys and people:\n  apikey ", "Check and back up:\n  backup ", "Caddy's other commands:\n  adapt ",
			},
			[]string{"caddy run", "upgrade", "add-package", "remove-package", "Additional Commands"},
		},
		{[]string{"help"}, []string{"coin slot", "Run Sessiongate:"}, []string{"upgrade"}},
		{[]string{"run", "--help"}, []string{"This command is Caddy's"}, nil},
	} {
		status, stdout, stderr := command(t, t.TempDir(), tt.args...)
		for _, want := range tt.says {
			if status != 0 || !strings.Contains(stdout, want) {
				t.Errorf("sessiongate %s: status %d, said %q %q; want %q in it", tt.args, status, stdout, stderr, want)
			}
		}
		for _, unwanted := range tt.saysNone {
			if strings.Contains(stdout, unwanted) {
				t.Errorf("sessiongate %s: said %q; want no %q in it", tt.args, stdout, unwanted)
			}
		}
	}
	_, all, _ := command(t, t.TempDir(), "--help")
	for _, name := range commands {
		if !strings.Contains(all, "\n  "+name+" ") {
			t.Errorf("the help does not list %s", name)
		}
	}
}

// TestHelpOfEachCommand: each command of ours has a one-line description, a
// paragraph, an example that begins with the program's name, and flags that are
// described.
func TestHelpOfEachCommand(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"demo", "backend", "backup", "doctor",
		"apikey", "apikey create", "apikey list", "apikey rotate", "apikey revoke", "apikey portal",
		"keys", "keys list", "keys rotate", "domains", "domains list", "domains unvouch", "domains vouch", "marketplace", "marketplace create", "marketplace list", "people", "people add", "people list", "people remove", "token", "token inspect",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, help, stderr := command(t, t.TempDir(), append(strings.Fields(name), "--help")...)
			if status != 0 || stderr != "" {
				t.Fatalf("status %d, standard error %q", status, stderr)
			}
			long, rest, _ := strings.Cut(help, "\nUsage:\n")
			if len(strings.TrimSpace(long)) < 40 {
				t.Errorf("no description:\n%s", help)
			}
			_, example, _ := strings.Cut(rest, "\nExamples:\n")
			if example, _, _ = strings.Cut(example, "\n\n"); !strings.Contains(example, "sessiongate "+name) {
				t.Errorf("no example of sessiongate %s:\n%s", name, help)
			}
			for line := range strings.SplitSeq(rest, "\n") {
				if flag, ok := strings.CutPrefix(line, "      --"); ok && len(strings.Fields(flag)) < 3 {
					t.Errorf("flag without description: %s", line)
				}
			}
			if strings.Contains(help, "caddyserver.com") {
				t.Errorf("help of a command of ours links to Caddy's manual")
			}
		})
	}
}

// TestVariablesStandForFlags: a variable with a value that cannot be is named, and
// neither an error nor the help shows a value, which may be a password.
func TestVariablesStandForFlags(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		variable, value string
		args            []string
		status          int
		says            string
	}{
		{"SESSIONGATE_KEY_RATE", "secret1", []string{"backend"}, 2, "environment variable SESSIONGATE_KEY_RATE (for --key-rate) is invalid: expected a whole number"},
		{"SESSIONGATE_WEBHOOKS_TO_LOOPBACK", "secret1", []string{"backend"}, 2, "(for --webhooks-to-loopback) is invalid: expected true or false"},
		{"SESSIONGATE_LOG_LEVEL", "loud", []string{"backend"}, 2, "debug, info, warn or error"},
		{"SESSIONGATE_DATABASE", "mysql://u:secret1@h/x", []string{"backend"}, 1, "sqlite: or postgres://"},
		{"SESSIONGATE_DATABASE", "postgres://u:secret1@h/x", []string{"backend", "--help"}, 0, ""},
		{"SESSIONGATE_DEBUG_KEY", "secret1", []string{"doctor", "--help"}, 0, ""},
	} {
		cmd := exec.Command(Binary(t), tt.args...)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "SESSIONGATE_DATA="+t.TempDir(), tt.variable+"="+tt.value)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != tt.status || !strings.Contains(string(out), tt.says) || strings.Contains(string(out), "secret1") {
			t.Errorf("%s=%s sessiongate %s: status %d, said %s", tt.variable, tt.value, strings.Join(tt.args, " "), cmd.ProcessState.ExitCode(), out)
		}
	}
}

func TestKeysAndTokensByHand(t *testing.T) {
	t.Parallel()
	s := Start(t)
	sold := s.buy(t, terms{User: s.newUser(t, 10), Seconds: 60, Tokens: 5})
	status, out, stderr := command(t, s.Dir, "token", "inspect", sold.Token)
	if status != 0 || !strings.Contains(out, sold.Session.ID) || !strings.Contains(out, s.ProviderID) {
		t.Errorf("inspecting a launch token: status %d\n%s%s", status, out, stderr)
	}
	if status, again, stderr := command(t, s.Dir, "token", "inspect", sold.LaunchURL); status != 0 || again != out {
		t.Errorf("inspecting its launch link: status %d\n%s%s", status, again, stderr)
	}
	if status, _, _ := command(t, t.TempDir(), "token", "inspect", sold.Token); status != 1 {
		t.Errorf("inspecting it with other keys: status %d, want 1", status)
	}

	// Rotation: what was signed before still opens, and so does what comes after.
	if status, out, stderr := command(t, s.Dir, "keys", "rotate"); status != 0 {
		t.Fatalf("rotating: status %d\n%s%s", status, out, stderr)
	}
	s.enter(t, sold.LaunchURL)
	s.enter(t, s.buy(t, terms{User: s.newUser(t, 10), Seconds: 60, Tokens: 5}).LaunchURL)

	// Keys lie where only their owner reads them.
	files, err := filepath.Glob(filepath.Join(s.Dir, "keys", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no signing keys: %v", err)
	}
	for _, file := range append(files, filepath.Join(s.Dir, "sessiongate.db")) {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 && !info.IsDir() {
			t.Errorf("%s has mode %o, want 600", filepath.Base(file), mode)
		}
	}

	// A revoked key is refused at once.
	status, key, stderr := command(t, s.Dir, "apikey", "create", "--role", "marketplace", "--name", "short-lived")
	if status != 0 {
		t.Fatalf("creating a key: %s", stderr)
	}
	caller := Caller(strings.TrimSpace(key))
	if a := caller.Do(t, "GET", s.API+"/api/v1/sessions", nil); a.Status != 200 {
		t.Errorf("with the new key: %d %s", a.Status, a.Body)
	}
	_, list, _ := command(t, s.Dir, "apikey", "list")
	var id string
	for line := range strings.SplitSeq(list, "\n") {
		if strings.Contains(line, "short-lived") {
			id = strings.Fields(line)[0]
		}
	}
	if strings.Contains(list, strings.TrimSpace(key)) || id == "" {
		t.Fatalf("the list of keys is\n%s", list)
	}
	if status, _, stderr := command(t, s.Dir, "apikey", "revoke", id); status != 0 {
		t.Fatalf("revoking: %s", stderr)
	}
	if a := caller.Do(t, "GET", s.API+"/api/v1/sessions", nil); a.Status != 401 {
		t.Errorf("with the revoked key: %d %s", a.Status, a.Body)
	}

	// A portal link signs in with what stands behind its #.
	status, link, stderr := command(t, s.Dir, "apikey", "portal", "--provider", s.ProviderID, "--issuer", s.API+"/")
	page, secret, ok := strings.Cut(strings.TrimSpace(link), "#")
	if status != 0 || !ok || page != s.API+"/auth/portal" {
		t.Fatalf("status %d, link %s: %s", status, page, stderr)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.PostForm(page, url.Values{"link": {secret}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) != 1 || strings.Contains(resp.Header.Get("Location"), secret) {
		t.Errorf("the link answers %d, %v", resp.StatusCode, resp.Header)
	}
}

// TestMistypedFolderMakesNoDatabase: a command that needs what a database already
// holds creates neither folder nor file where there is none, whether the place is
// named by a flag or by a variable.
func TestMistypedFolderMakesNoDatabase(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"people", "add", "ada@example.com", "--role", "admin"},
		{"people", "add", "ada@example.com", "--role", "provider", "--provider", "p"},
		{"people", "list"},
		{"people", "remove", "x"},
		{"apikey", "create", "--role", "provider", "--provider", "p"},
		{"apikey", "create", "--role", "marketplace", "--marketplace", "mkt_x"},
		{"marketplace", "list"},
		{"apikey", "list"},
		{"apikey", "rotate", "x"},
		{"apikey", "revoke", "x"},
		{"apikey", "portal", "--provider", "p"},
		{"backup", filepath.Join(t.TempDir(), "copy.db")},
	} {
		dir := t.TempDir()
		for _, where := range [][]string{
			{"--data", filepath.Join(dir, "typo")},
			{"--database", "sqlite:" + filepath.Join(dir, "typo", "x.db")},
			{"--database", "sqlite:" + filepath.Join(dir, "typo.db")},
		} {
			status, _, stderr := command(t, dir, append(args[:len(args):len(args)], where...)...)
			if status != 1 || !strings.Contains(stderr, "no database at "+dir) || !strings.Contains(stderr, "--data or --database") {
				t.Errorf("%q %q: status %d, %s", args, where, status, stderr)
			}
		}
		if made, err := filepath.Glob(filepath.Join(dir, "typo*")); err != nil || len(made) > 0 {
			t.Errorf("%q made %q (%v)", args, made, err)
		}
	}
}
