package attack

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
	"sync"
	"syscall"
	"time"
)

// patience is how long the kit waits for what must happen. It says nothing about how long
// things take.
const patience = 2 * time.Minute

// Provider is the provider of all sites.
const Provider = "prov_attack"

// Kit is a session service and an edge, with a site for each of several origins.
type Kit struct {
	Dir      string
	HTTP     string // the edge's address for HTTP/1.1 in the clear
	HTTPS    string // and for TLS, and QUIC
	Origins  []*Origin
	User     string
	Session  string // the id of the session that cells with a session use
	Cookie   string // the value of its cookie
	LogPath  string // what the edge has written, with its access log
	edge     *exec.Cmd
	backend  *exec.Cmd
	api      string
	keys     map[string]string
	held     []io.Closer
	nextPort int

	mu   sync.Mutex // guards what Check has read
	read map[string]int64
}

// Start starts everything. Stop must be called, also after an error.
func Start(program string) (*Kit, error) {
	dir, err := os.MkdirTemp("", "sessiongate-attack-")
	if err != nil {
		return nil, err
	}
	k := &Kit{Dir: dir, User: "user_attack", LogPath: filepath.Join(dir, "edge.log"), nextPort: 22_000 + os.Getpid()%3_000*2, read: map[string]int64{}, keys: map[string]string{}}
	if err := os.Chmod(dir, 0o755); err != nil { // Apache's programs run as another user
		return k, err
	}
	steps := []func(string) error{k.startOrigins, k.startBackend, k.startEdge, k.enter}
	for _, step := range steps {
		if err := step(program); err != nil {
			return k, err
		}
	}
	return k, nil
}

// Stop ends all processes and removes their files.
func (k *Kit) Stop() {
	if k == nil {
		return
	}
	for _, cmd := range []*exec.Cmd{k.edge, k.backend} {
		stop(cmd)
	}
	for _, o := range k.Origins {
		stop(o.cmd)
		stop(o.helper)
	}
	for _, c := range k.held {
		_ = c.Close()
	}
	_ = os.RemoveAll(k.Dir)
}

func stop(cmd *exec.Cmd) {
	if cmd == nil || cmd.Process == nil {
		return
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	defer time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() }).Stop()
	_ = cmd.Wait()
}

// port returns a free port that stays this process's: a socket for UDP on the next one
// says so to other kits. It lies below those that the kernel takes for connections.
func (k *Kit) port() (int, error) {
	const first, last = 22_000, 32_000
	for range (last - first) / 2 {
		k.nextPort += 2
		p := first + (k.nextPort-first)%(last-first)
		taken, err := net.ListenPacket("udp", local(p+1))
		if err != nil {
			continue
		}
		free, err := net.Listen("tcp", local(p))
		if err != nil {
			_ = taken.Close()
			continue
		}
		_ = free.Close()
		k.held = append(k.held, taken)
		return p, nil
	}
	return 0, errors.New("no port is free")
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// run starts a program that writes its output to a file of the kit.
func (k *Kit) run(name string, env []string, program string, args ...string) (*exec.Cmd, error) {
	log, err := os.Create(filepath.Join(k.Dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = k.Dir, log, log
	cmd.Env = append(append(os.Environ(), "HOME="+k.Dir, "XDG_DATA_HOME="+k.Dir, "XDG_CONFIG_HOME="+k.Dir, "SESSIONGATE_DATA="+k.Dir), env...)
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return cmd, nil
}

// await waits until done. what says what did not happen.
func await(what string, done func() error) error {
	var err error
	for began := time.Now(); time.Since(began) < patience; time.Sleep(20 * time.Millisecond) {
		if err = done(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// listens waits until somebody does.
func (k *Kit) listens(name, address string) error {
	return await(name+" does not listen; its output is in "+name+".log:\n"+k.output(name), func() error {
		c, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err == nil {
			err = c.Close()
		}
		return err
	})
}

func (k *Kit) output(name string) string {
	b, _ := os.ReadFile(filepath.Join(k.Dir, name+".log"))
	return string(b)
}

func (k *Kit) startBackend(program string) error {
	p, err := k.port()
	if err != nil {
		return err
	}
	k.api = "http://" + local(p)
	for _, role := range []string{"admin", "marketplace", "edge"} {
		cmd := exec.Command(program, "apikey", "create", "--role", role, "--data", k.Dir)
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("creating the %s key: %w", role, err)
		}
		k.keys[role] = strings.TrimSpace(string(out))
	}
	if k.backend, err = k.run("backend", nil, program, "backend", "--listen", local(p), "--data", k.Dir); err != nil {
		return err
	}
	return k.listens("backend", local(p))
}

// call asks the session service.
func (k *Kit) call(role, method, path string, body, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(method, k.api+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+k.keys[role])
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

// startEdge serves two sites for each origin: one that the gate guards except for
// /open/*, and one of which it guards /paid/*.
func (k *Kit) startEdge(program string) error {
	plain, err := k.port()
	if err != nil {
		return err
	}
	secure, err := k.port()
	if err != nil {
		return err
	}
	k.HTTP, k.HTTPS = local(plain), local(secure)
	var config strings.Builder
	fmt.Fprintf(&config, `{
	admin off
	persist_config off
	default_bind 127.0.0.1
	http_port %d
	https_port %d
	local_certs
	skip_install_trust
	servers {
		timeouts {
			read_header 5s
		}
	}
	session_gate {
		backend %s
		edge_key %s
	}
}
`, plain, secure, k.api, k.keys["edge"])
	for _, o := range k.Origins {
		for kind, gate := range map[string]string{"whole": "session_gate {\n\t\tprovider " + Provider + "\n\t\tinject exact\n\t\topen /open/*\n\t}", "part": "session_gate /paid/* {\n\t\tprovider " + Provider + "\n\t}"} {
			fmt.Fprintf(&config, "http://%[1]s.%[2]s.example, https://%[1]s.%[2]s.example {\n\tlog\n\t%[3]s\n\treverse_proxy %[4]s {\n\t\ttransport http {\n\t\t\tcompression off\n\t\t}\n\t}\n}\n",
				o.Name, kind, gate, o.Address)
		}
	}
	path := filepath.Join(k.Dir, "Caddyfile")
	if err := os.WriteFile(path, []byte(config.String()), 0o600); err != nil {
		return err
	}
	if k.edge, err = k.run("edge", []string{"GODEBUG=http2xconnect=1"}, program, "run", "--config", path, "--adapter", "caddyfile"); err != nil {
		return err
	}
	return k.listens("edge", k.HTTP)
}

// enter buys a session for the user and enters it.
func (k *Kit) enter(string) error {
	if err := k.call("admin", "POST", "/api/v1/providers", map[string]any{
		"id": Provider, "name": "Attacked", "app_url": "http://node.whole.example/", "policies": map[string]any{"return_hosts": []string{"market.example"}},
	}, nil); err != nil {
		return err
	}
	if err := k.call("marketplace", "POST", "/api/v1/users/"+k.User+"/tokens", map[string]any{"amount": 1000}, nil); err != nil {
		return err
	}
	var sold struct {
		Session struct {
			ID string `json:"id"`
		} `json:"session"`
		LaunchURL string `json:"launch_url"`
	}
	if err := k.call("marketplace", "POST", "/api/v1/sessions", map[string]any{
		"user_id": k.User, "provider_id": Provider, "tokens_allocated": 10, "duration_limit_seconds": 3600, "return_url": "http://market.example/",
	}, &sold); err != nil {
		return err
	}
	if k.Session = sold.Session.ID; k.Session == "" {
		return errors.New("the sale has no id")
	}
	_, query, _ := strings.Cut(sold.LaunchURL, "?")
	return await("the session is not entered", func() error {
		answer, err := Exchange(k.HTTP, "GET /?"+query+" HTTP/1.1\r\nHost: node.whole.example\r\nAccept: text/html\r\nConnection: close\r\n\r\n")
		if err != nil {
			return err
		}
		for line := range strings.Lines(answer) {
			if value, ok := strings.CutPrefix(line, "Set-Cookie: session_gate="); ok {
				k.Cookie, _, _ = strings.Cut(value, ";")
				return nil
			}
		}
		return fmt.Errorf("the edge answers %.300q", answer)
	})
}

// Exchange sends bytes on a connection of their own and returns what comes back, until
// the server closes the connection or is silent for a moment.
func Exchange(address, sent string) (string, error) { return exchange(address, sent, 20*time.Second) }

// Blind is an exchange of which the answer says nothing: it does not wait long for one.
func Blind(address, sent string) (string, error) { return exchange(address, sent, time.Second) }

// silence is how long a server may say nothing before an exchange counts as over, once it
// has answered; before that, it may take as long as a busy machine needs.
const silence = 150 * time.Millisecond

func exchange(address, sent string, wait time.Duration) (string, error) {
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return talk(c, sent, wait)
}

func talk(c net.Conn, sent string, wait time.Duration) (string, error) {
	if err := c.SetDeadline(time.Now().Add(wait)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, sent); err != nil {
		return "", nil //nolint:nilerr // the server has refused to read on
	}
	var got bytes.Buffer
	buf := make([]byte, 32<<10)
	for {
		n, err := c.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			return got.String(), nil //nolint:nilerr // the answer ended, or there is none
		}
		if err := c.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return "", err
		}
	}
}
