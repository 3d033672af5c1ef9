// Package harness starts what tests of the whole system need: a session service, servers
// in processes of their own, and a session that is entered. Packages of tests share it, each
// with its own folder and ports.
package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Patience is how long tests wait for what must happen. It says nothing about how long
// things take.
const Patience = 2 * time.Minute

// Harness is a folder with what runs in it.
type Harness struct {
	Dir     string
	API     string            // the session service's address, once it runs
	Keys    map[string]string // its API keys by role
	backend *exec.Cmd
	held    []io.Closer

	nextPort int
}

// New makes the folder. Close must be called, also after an error.
func New(name string) (*Harness, error) {
	dir, err := os.MkdirTemp("", "sessiongate-"+name+"-")
	if err != nil {
		return nil, err
	}
	h := &Harness{Dir: dir, Keys: map[string]string{}, nextPort: 22_000 + os.Getpid()%3_000*2}
	return h, os.Chmod(dir, 0o755) // Apache's programs run as another user
}

// Program returns the path of the program under test: $SESSIONGATE_BIN, or one that it
// builds. remove deletes what it has built.
func Program() (path string, remove func(), err error) {
	if path = os.Getenv("SESSIONGATE_BIN"); path != "" {
		return path, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "sessiongate-program-")
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(dir, "sessiongate")
	if out, err := exec.Command("go", "build", "-o", path, "github.com/sessiongate/sessiongate/cmd/sessiongate").CombinedOutput(); err != nil {
		_ = os.RemoveAll(dir)
		return "", nil, fmt.Errorf("building sessiongate: %w\n%s", err, out)
	}
	return path, func() { _ = os.RemoveAll(dir) }, nil
}

// Close ends the session service, gives the ports back and removes the files.
func (h *Harness) Close() {
	Stop(h.backend)
	for _, c := range h.held {
		_ = c.Close()
	}
	_ = os.RemoveAll(h.Dir)
}

// Stop ends a process, if it was started.
func Stop(cmd *exec.Cmd) {
	if cmd == nil || cmd.Process == nil {
		return
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	defer time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() }).Stop()
	_ = cmd.Wait()
}

// Port returns a free port that stays this process's: a socket for UDP on the next one
// says so to other packages. It lies below those that the kernel takes for connections.
func (h *Harness) Port() (int, error) {
	const first, last = 22_000, 32_000
	for range (last - first) / 2 {
		h.nextPort += 2
		p := first + (h.nextPort-first)%(last-first)
		taken, err := net.ListenPacket("udp", Local(p+1))
		if err != nil {
			continue
		}
		free, err := net.Listen("tcp", Local(p))
		if err != nil {
			_ = taken.Close()
			continue
		}
		_ = free.Close()
		h.held = append(h.held, taken)
		return p, nil
	}
	return 0, errors.New("no port is free")
}

// Local is the address of a port on this machine.
func Local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Run starts a program that writes its output to a file of the folder.
func (h *Harness) Run(name string, env []string, program string, args ...string) (*exec.Cmd, error) {
	log, err := os.Create(filepath.Join(h.Dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = h.Dir, log, log
	cmd.Env = append(append(os.Environ(), "HOME="+h.Dir, "XDG_DATA_HOME="+h.Dir, "XDG_CONFIG_HOME="+h.Dir, "SESSIONGATE_DATA="+h.Dir), env...)
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return cmd, nil
}

// Output is what a program has written so far.
func (h *Harness) Output(name string) string {
	b, _ := os.ReadFile(filepath.Join(h.Dir, name+".log"))
	return string(b)
}

// Await waits until done. what says what did not happen.
func Await(what string, done func() error) error {
	var err error
	for began := time.Now(); time.Since(began) < Patience; time.Sleep(20 * time.Millisecond) {
		if err = done(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Listens waits until a program does.
func (h *Harness) Listens(name, address string) error {
	err := Await(name+" does not listen", func() error {
		c, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err == nil {
			err = c.Close()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%w; it has written:\n%s", err, h.Output(name))
	}
	return nil
}

// StartBackend starts the session service, with a key for each role.
func (h *Harness) StartBackend(program string) error {
	p, err := h.Port()
	if err != nil {
		return err
	}
	h.API = "http://" + Local(p)
	for _, role := range []string{"admin", "marketplace", "edge"} {
		cmd := exec.Command(program, "apikey", "create", "--role", role, "--data", h.Dir)
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("creating the %s key: %w", role, err)
		}
		h.Keys[role] = strings.TrimSpace(string(out))
	}
	if h.backend, err = h.Run("backend", nil, program, "backend", "--listen", Local(p), "--data", h.Dir); err != nil {
		return err
	}
	return h.Listens("backend", Local(p))
}

// Call asks the session service.
func (h *Harness) Call(role, method, path string, body, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(method, h.API+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+h.Keys[role])
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s %s %w", method, path, resp.Status, answer, err)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}
