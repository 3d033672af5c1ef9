package storetest

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// PgBouncer starts PgBouncer in transaction mode before the server, with few server
// connections, so that transactions of one client meet different ones. It returns the
// address of a database through it. It stops with the test. A missing PgBouncer fails
// the test.
func (p *Postgres) PgBouncer(t testing.TB, address string) string {
	t.Helper()
	bin, err := exec.LookPath("pgbouncer")
	if err != nil {
		if bin = "/usr/sbin/pgbouncer"; !executable(bin) {
			t.Fatal("these tests need PgBouncer: install the package pgbouncer")
		}
	}
	dir := filepath.Join(p.dir, "bouncer"+strconv.FormatInt(p.databases.Add(1), 10))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	config := fmt.Sprintf(`[databases]
* = host=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = %s/users
pool_mode = transaction
default_pool_size = 6
server_round_robin = 1
max_client_conn = 500
logfile = %s/log
`, p.dir, port, dir, dir)
	for name, text := range map[string]string{"config": config, "users": "\"postgres\" \"\"\n", "log": ""} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, 0o666); err != nil { // it runs as another user, whatever the umask
			t.Fatal(err)
		}
	}
	cmd := exec.Command(bin, filepath.Join(dir, "config"))
	cmd.Dir = p.dir
	if os.Getuid() == 0 { // PgBouncer refuses to run as root
		owner, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.ParseUint(owner.Uid, 10, 32)
		gid, _ := strconv.ParseUint(owner.Gid, 10, 32)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", at)
		if err == nil {
			c.Close()
			break
		}
		if time.Now().After(end) {
			said, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Fatalf("PgBouncer does not answer: %v\n%s", err, said)
		}
	}
	return (&url.URL{Scheme: "postgres", User: url.User("postgres"), Host: at, Path: "/" + nameOf(t, address)}).String()
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

// ReadOnly makes the server refuse writes, also on connections that are open, or ends
// that. It concerns every database of the server.
func (p *Postgres) ReadOnly(t testing.TB, on bool) {
	t.Helper()
	if err := p.started(); err != nil {
		t.Fatal(err)
	}
	p.execute(t, "ALTER SYSTEM SET default_transaction_read_only = "+strconv.FormatBool(on))
	p.execute(t, "SELECT pg_reload_conf()")
}

// ReadOnlyDatabase makes new connections to a database refuse writes, or ends that.
// Connections that are open stay as they are.
func (p *Postgres) ReadOnlyDatabase(t testing.TB, address string, on bool) {
	t.Helper()
	p.execute(t, "ALTER DATABASE "+nameOf(t, address)+" SET default_transaction_read_only = "+strconv.FormatBool(on))
}

// Hosts is the address of a database that has the same name on two servers, the first
// of which is tried first.
func Hosts(first, second *Postgres, name string) string {
	return "postgres://postgres@/" + name + "?host=" + first.dir + "," + second.dir
}
