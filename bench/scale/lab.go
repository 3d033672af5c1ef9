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
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sessiongate/sessiongate/bench/internal/proc"
)

// lab is a folder with the processes that a part of the bench started in it.
type lab struct {
	binary, dir string
	short       bool
	processes   []*process
	cleanups    []func()
}

// process is a running program. The bench reads its CPU and memory.
type process struct {
	name    string
	address string // host and port, if it listens on one
	cmd     *exec.Cmd
	args    []string // to start it again
}

// cpu returns the CPU time that the process has used so far.
func (p *process) cpu() (time.Duration, error) { return proc.CPU(proc.Tree(p.cmd.Process.Pid)...) }

// memory returns the bytes that the process holds.
func (p *process) memory() (int64, error) { return proc.Memory(p.cmd.Process.Pid) }

// scaled returns n, or a hundredth of it in a short run.
func (l *lab) scaled(n int) int {
	if l.short {
		return max(1, n/100)
	}
	return n
}

// progress tells the person who waits.
func (l *lab) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "         "+format+"\n", args...)
}

// run starts a program that writes its output to a file of the folder.
func (l *lab) run(name, address string, line ...string) (*process, error) {
	p := &process{name: name, address: address, args: line}
	if err := l.start(p); err != nil {
		return nil, err
	}
	l.processes = append(l.processes, p)
	return p, nil
}

func (l *lab) start(p *process) error {
	log, err := os.OpenFile(filepath.Join(l.dir, p.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = l.dir, log, log
	p.cmd.Env = append(os.Environ(), "HOME="+l.dir, "XDG_DATA_HOME="+l.dir, "XDG_CONFIG_HOME="+l.dir, "SESSIONGATE_DATA="+l.dir)
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	return nil
}

// kill ends a process without any notice, as a machine that fails does.
func (l *lab) kill(p *process) {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// stop ends all processes, the last one first, and then undoes what else was set up.
func (l *lab) stop() {
	for _, p := range slices.Backward(l.processes) {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(20*time.Second, func() { _ = p.cmd.Process.Kill() })
		_ = p.cmd.Wait()
		kill.Stop()
	}
	for _, undo := range slices.Backward(l.cleanups) {
		undo()
	}
}

// logs returns the last lines of every process, for an error.
func (l *lab) logs() string {
	var out strings.Builder
	files, _ := filepath.Glob(filepath.Join(l.dir, "*.log"))
	for _, f := range files {
		text, _ := os.ReadFile(f)
		if len(text) > 2000 {
			text = text[len(text)-2000:]
		}
		fmt.Fprintf(&out, "--- %s\n%s\n", filepath.Base(f), text)
	}
	return out.String()
}

// await asks a URL until it answers 200.
func await(ctx context.Context, url string) error {
	for range 600 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s does not answer", url)
}

// redis starts a Redis that writes nothing to disk. Its URL is redis:// and the address.
func (l *lab) redis(ctx context.Context) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	p, err := l.run("redis", address, "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", l.dir, "--save", "")
	if err != nil {
		return nil, err
	}
	for range 200 {
		if conn, err := net.Dial("tcp", address); err == nil {
			return p, conn.Close()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(25 * time.Millisecond):
		}
	}
	return nil, errors.New("redis-server does not answer")
}

// backend starts a session service on a database and, unless it is "", a Redis.
func (l *lab) backend(ctx context.Context, name, database, redis string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	line := []string{
		l.binary, "backend", "--listen", address, "--database", database, "--issuer", "http://issuer.example",
		"--key-rate", "-1", "--address-rate", "-1", "--log-level", "warn",
	}
	if redis != "" {
		line = append(line, "--redis", redis)
	}
	p, err := l.run(name, address, line...)
	if err != nil {
		return nil, err
	}
	return p, await(ctx, "http://"+address+"/readyz")
}

// key makes an API key of a role.
func (l *lab) key(ctx context.Context, database, role string) (string, error) {
	cmd := exec.CommandContext(ctx, l.binary, "apikey", "create", "--role", role, "--database", database)
	cmd.Dir, cmd.Env = l.dir, append(os.Environ(), "SESSIONGATE_DATA="+l.dir)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("creating a key of role %s: %w", role, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// api calls a session service with one key.
type api struct {
	base, key string
	client    *http.Client
}

func newAPI(address, key string, connections int) *api {
	return &api{base: "http://" + address, key: key, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}}
}

// post calls the API. in may be nil, and out too.
func (a *api) post(ctx context.Context, path string, in, out any) error {
	buf, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+path, bytes.NewReader(buf))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+a.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		return errors.Join(err, fmt.Errorf("POST %s: %s %s", path, resp.Status, answer))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
