// Package webhooktest lets tests ask a receiver's library whether it takes our
// calls: the npm package standardwebhooks, run by Node.
package webhooktest

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/webhook"
)

//go:embed verify/package.json verify/package-lock.json verify/.npmrc verify/verify.mjs
var verifier embed.FS

// Call is what a receiver got.
type Call struct {
	Headers map[string]string
	Body    string
}

// CallOf is a request as the receiver saw it.
func CallOf(h http.Header, body []byte) Call {
	c := Call{Headers: map[string]string{}, Body: string(body)}
	for _, name := range []string{webhook.HeaderID, webhook.HeaderTimestamp, webhook.HeaderSignature, "Content-Type", "User-Agent"} {
		c.Headers[name] = h.Get(name)
	}
	return c
}

// installed is the folder that install made.
var installed atomic.Value // of string

// install puts the package and its verifier into a folder, once per process.
var install = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sgwebhook")
	if err != nil {
		return "", err
	}
	installed.Store(dir)
	list, err := verifier.ReadDir("verify")
	if err != nil {
		return "", err
	}
	for _, file := range list {
		body, err := verifier.ReadFile("verify/" + file.Name())
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, file.Name()), body, 0o600); err != nil {
			return "", err
		}
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--prefer-offline")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("installing the standardwebhooks package: %w\n%s", err, out)
	}
	return dir, nil
})

// Remove removes what [Verify] installed, if it did. Call it when all tests are
// done.
func Remove() error {
	dir, ok := installed.Load().(string)
	if !ok {
		return nil
	}
	return os.RemoveAll(dir)
}

// Verify fails the test unless the npm package takes every call. The package
// takes calls of the last five minutes: now is the moment to pretend.
func Verify(t testing.TB, now time.Time, secret string, calls ...Call) {
	t.Helper()
	for i, verdict := range verdicts(t, now, secret, calls) {
		if verdict != "ok" {
			t.Errorf("call %d is refused: %s", i, verdict)
		}
	}
}

// Refuse fails the test unless the npm package refuses every call.
func Refuse(t testing.TB, now time.Time, secret string, calls ...Call) {
	t.Helper()
	for i, verdict := range verdicts(t, now, secret, calls) {
		if verdict == "ok" {
			t.Errorf("call %d is taken", i)
		}
	}
}

func verdicts(t testing.TB, now time.Time, secret string, calls []Call) []string {
	t.Helper()
	dir, err := install()
	if err != nil {
		t.Fatal(err)
	}
	var in bytes.Buffer
	for _, c := range calls {
		line, err := json.Marshal(map[string]any{"secret": secret, "headers": c.Headers, "body": c.Body, "now_ms": now.UnixMilli()})
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	cmd := exec.Command("node", filepath.Join(dir, "verify.mjs"))
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("verifying: %v\n%s", err, e.Stderr)
		}
		t.Fatal(err)
	}
	list := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(list) != len(calls) {
		t.Fatalf("%d verdicts of %d calls", len(list), len(calls))
	}
	return list
}
