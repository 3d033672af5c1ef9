package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// field is what all contenders share: the origin, the session service, and
// sessions to send.
type field struct {
	binary, dir string
	origin      *origin
	api         string
	keys        map[string]string // by role
	sessions    int
	launches    []string // launch tokens, not yet redeemed
	processes   []*exec.Cmd
	certificate certificate
	gateEnv     string // NAME=VALUE for the gates alone
	admin       bool   // Caddy's admin endpoint is open
}

func newField(ctx context.Context, binary, dir string, sessions int) (*field, error) {
	// Everything but the proxies shares the second core.
	if err := exec.Command("taskset", "-a", "-cp", "1", strconv.Itoa(os.Getpid())).Run(); err != nil {
		return nil, fmt.Errorf("pinning to a core (two are needed): %w", err)
	}
	runtime.GOMAXPROCS(1)
	f := &field{binary: binary, dir: dir, sessions: sessions, keys: make(map[string]string)}
	var err error
	if f.origin, err = newOrigin(); err != nil {
		return nil, err
	}
	if f.certificate, err = newCertificate(dir); err != nil {
		return f, err
	}
	f.api = "http://" + freeAddress()
	for _, role := range []string{"admin", "marketplace", "edge"} {
		out, err := f.command(ctx, "1", binary, "apikey", "create", "--role", role).Output()
		if err != nil {
			return f, fmt.Errorf("creating a key: %w", err)
		}
		f.keys[role] = strings.TrimSpace(string(out))
	}
	backend := f.command(ctx, "1", binary, "backend", "--listen", strings.TrimPrefix(f.api, "http://"), "--log-level", "error")
	if err := f.start(backend, f.api+"/readyz"); err != nil {
		return f, err
	}
	return f, f.sell(ctx)
}

// sell creates the provider and its sessions.
func (f *field) sell(ctx context.Context) error {
	err := f.call(ctx, "admin", "/api/v1/providers", map[string]any{
		"id": "prov_bench", "name": "Bench", "domains": []string{host}, "origin_url": "http://" + f.origin.address,
		"policies": map[string]any{"return_hosts": []string{"market.example"}},
	}, nil)
	if err != nil {
		return err
	}
	if err := f.call(ctx, "marketplace", "/api/v1/users/bench/tokens", map[string]any{"amount": 3 * f.sessions}, nil); err != nil {
		return err
	}
	for range 3 * f.sessions { // for two gates, and for those that only read tokens
		var sold struct {
			Token string `json:"token"`
		}
		err := f.call(ctx, "marketplace", "/api/v1/sessions", map[string]any{
			"user_id": "bench", "provider_id": "prov_bench", "tokens_allocated": 1,
			"duration_limit_seconds": 86400, "return_url": "http://market.example/done",
		}, &sold)
		if err != nil {
			return err
		}
		f.launches = append(f.launches, sold.Token)
	}
	return nil
}

func (f *field) call(ctx context.Context, role, path string, body, out any) error {
	buf, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.api+path, bytes.NewReader(buf))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+f.keys[role])
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		return fmt.Errorf("POST %s: %s %s: %w", path, resp.Status, answer, errors.Join(err))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// enter redeems a third of the launch tokens at an edge and returns the sessions'
// cookies.
func (f *field) enter(ctx context.Context, address string) ([]string, error) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var cookies []string
	for _, token := range f.launches[:f.sessions] {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/?session="+token, nil)
		if err != nil {
			return nil, err
		}
		req.Host = host
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		resp.Body.Close()
		if len(resp.Cookies()) == 0 {
			return nil, fmt.Errorf("entering: %s", resp.Status)
		}
		cookies = append(cookies, resp.Cookies()[0].Value)
	}
	f.launches = f.launches[f.sessions:]
	return cookies, nil
}

// command prepares a process on the given core.
func (f *field) command(ctx context.Context, core, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", core, name}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+f.dir, "SESSIONGATE_DATA="+f.dir)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// start runs a process until stop, once it answers at probe.
func (f *field) start(cmd *exec.Cmd, probe string) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	f.processes = append(f.processes, cmd)
	for range 300 {
		if resp, err := http.Get(probe); err == nil {
			resp.Body.Close()
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("%s does not answer at %s", cmd.Args[3], probe)
}

// forget leaves a process that has ended out of what stop stops.
func (f *field) forget(cmd *exec.Cmd) {
	f.processes = slices.DeleteFunc(f.processes, func(p *exec.Cmd) bool { return p == cmd })
}

func (f *field) stop() {
	for _, p := range f.processes {
		_ = p.Process.Signal(syscall.SIGTERM)
		_ = p.Wait()
	}
	f.origin.close()
}

func (f *field) write(name, text string) (string, error) {
	path := filepath.Join(f.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

func freeAddress() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:0"
	}
	defer ln.Close()
	return ln.Addr().String()
}

// newAuthServer is a server that admits everybody.
func newAuthServer() string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	return strings.TrimPrefix(s.URL, "http://")
}
