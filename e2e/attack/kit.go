package attack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/sessiongate/sessiongate/e2e/harness"
)

// Provider is the provider of all sites.
const Provider = "prov_attack"

// Kit is a session service and an edge, with a site for each of several origins.
type Kit struct {
	*harness.Harness
	HTTP    string // the edge's address for HTTP/1.1 in the clear
	HTTPS   string // and for TLS, and QUIC
	Origins []*Origin
	User    string
	Session string // the id of the session that cells with a session use
	Cookie  string // the value of its cookie
	LogPath string // what the edge has written, with its access log
	edge    *exec.Cmd

	mu   sync.Mutex // guards what Check has read
	read map[string]int64
}

// Start starts everything. Stop must be called, also after an error.
func Start(program string) (*Kit, error) {
	h, err := harness.New("attack")
	if h == nil {
		return nil, err
	}
	k := &Kit{Harness: h, User: "user_attack", LogPath: filepath.Join(h.Dir, "edge.log"), read: map[string]int64{}}
	if err != nil {
		return k, err
	}
	steps := []func(string) error{k.startOrigins, k.StartBackend, k.startEdge, k.enter}
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
	harness.Stop(k.edge)
	for _, o := range k.Origins {
		harness.Stop(o.cmd)
		harness.Stop(o.helper)
	}
	k.Close()
}

// startEdge serves two sites for each origin: one that the gate guards except for
// /open/*, and one of which it guards /paid/*.
func (k *Kit) startEdge(program string) error {
	plain, err := k.Port()
	if err != nil {
		return err
	}
	secure, err := k.Port()
	if err != nil {
		return err
	}
	k.HTTP, k.HTTPS = harness.Local(plain), harness.Local(secure)
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
`, plain, secure, k.API, k.Keys["edge"])
	for _, o := range k.Origins {
		// A gate before the whole site forwards by itself; one before a part leaves that to
		// reverse_proxy.
		for kind, handlers := range map[string]string{
			"whole": "session_gate {\n\t\tprovider " + Provider + "\n\t\tinject exact\n\t\topen /open/*\n\t\torigin http://" + o.Address + "\n\t}",
			"part":  "session_gate /paid/* {\n\t\tprovider " + Provider + "\n\t}\n\treverse_proxy " + o.Address + " {\n\t\ttransport http {\n\t\t\tcompression off\n\t\t}\n\t}",
		} {
			fmt.Fprintf(&config, "http://%[1]s.%[2]s.example, https://%[1]s.%[2]s.example {\n\tlog\n\t%[3]s\n}\n", o.Name, kind, handlers)
		}
	}
	path := filepath.Join(k.Dir, "Caddyfile")
	if err := os.WriteFile(path, []byte(config.String()), 0o600); err != nil {
		return err
	}
	if k.edge, err = k.Run("edge", []string{"GODEBUG=http2xconnect=1"}, program, "run", "--config", path, "--adapter", "caddyfile"); err != nil {
		return err
	}
	return k.Listens("edge", k.HTTP)
}

// enter buys a session for the user and enters it.
func (k *Kit) enter(string) error {
	const host = "node.whole.example"
	if err := k.Register(Provider, host); err != nil {
		return err
	}
	s, err := k.Sell(k.User, Provider)
	if err != nil {
		return err
	}
	if err := s.Enter(k.HTTP, host); err != nil {
		return err
	}
	k.Session, k.Cookie = s.ID, s.Cookie
	return nil
}
