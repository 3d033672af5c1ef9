// Package storetest holds what tests of the store need: a real PostgreSQL
// server of their own, and the suite that every engine must pass.
package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
)

// Postgres is a PostgreSQL server in a temporary folder, reached by a Unix
// socket in it. It starts when a test asks for its first database, so that a
// run without such tests needs no PostgreSQL.
type Postgres struct {
	once sync.Once // start
	err  error     // why the server could not start

	bin, dir  string
	as        []string // prefix of commands that must not run as root
	databases atomic.Int64
}

// StartPostgres returns a server that starts at the first [Postgres.Database].
// The caller stops it.
func StartPostgres() (*Postgres, error) { return new(Postgres), nil }

// started starts the server, once.
func (p *Postgres) started() error {
	p.once.Do(func() {
		if p.bin, p.err = postgresBin(); p.err != nil {
			return
		}
		// Not t.TempDir: the server's own user must be able to reach it, and a
		// socket's path may have no more than 107 bytes.
		if p.dir, p.err = os.MkdirTemp("", "sgpg"); p.err != nil {
			return
		}
		if err := p.start(); err != nil {
			p.err = errors.Join(err, os.RemoveAll(p.dir))
			p.dir = ""
		}
	})
	return p.err
}

func (p *Postgres) start() error {
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		owner, err := user.Lookup("postgres")
		if err != nil {
			return fmt.Errorf("running PostgreSQL as root needs the user postgres: %w", err)
		}
		uid, _ := strconv.Atoi(owner.Uid)
		gid, _ := strconv.Atoi(owner.Gid)
		if err := os.Chown(p.dir, uid, gid); err != nil {
			return err
		}
		p.as = []string{"runuser", "-u", "postgres", "--"}
	}
	if err := p.run("initdb", "-D", p.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"); err != nil {
		return err
	}
	return p.up()
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

func (p *Postgres) up() error {
	options := fmt.Sprintf("-k %s -h '' -c fsync=off -c max_connections=300 -c shared_buffers=64MB", p.dir)
	return p.run("pg_ctl", "-D", p.data(), "-w", "-t", "60", "-l", filepath.Join(p.dir, "log"), "-o", options, "start")
}

// Down stops the server as a crash does, until [Postgres.Up].
func (p *Postgres) Down(t testing.TB) {
	t.Helper()
	if err := p.run("pg_ctl", "-D", p.data(), "-m", "immediate", "-w", "stop"); err != nil {
		t.Fatal(err)
	}
}

// Up starts the server again.
func (p *Postgres) Up(t testing.TB) {
	t.Helper()
	if err := p.up(); err != nil {
		t.Fatal(err)
	}
}

// Stop stops the server, if it started, and removes its folder.
func (p *Postgres) Stop() error {
	if p.dir == "" {
		return nil
	}
	err := p.run("pg_ctl", "-D", p.data(), "-m", "immediate", "-w", "stop")
	return errors.Join(err, os.RemoveAll(p.dir))
}

func (p *Postgres) run(tool string, args ...string) error {
	line := append(slices.Clone(p.as), append([]string{filepath.Join(p.bin, tool)}, args...)...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir = p.dir
	// A pipe would be held open by the server that pg_ctl leaves behind.
	log, err := os.CreateTemp("", "sgpg-out")
	if err != nil {
		return err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%s: %w\n%s", tool, err, said)
	}
	return nil
}

// Database makes an empty database and returns its address.
func (p *Postgres) Database(t testing.TB) string {
	t.Helper()
	return p.Named(t, "t"+strconv.FormatInt(p.databases.Add(1), 10))
}

// Named makes an empty database of this name and returns its address.
func (p *Postgres) Named(t testing.TB, name string) string {
	t.Helper()
	if err := p.started(); err != nil {
		t.Fatal(err)
	}
	p.execute(t, "CREATE DATABASE "+name)
	return p.address(name)
}

func (p *Postgres) address(name string) string {
	return "postgres://postgres@/" + name + "?host=" + p.dir
}

func (p *Postgres) execute(t testing.TB, statement string) {
	t.Helper()
	conn, err := sql.Open("pgx", p.address("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if _, err := conn.ExecContext(ctx, statement); err != nil {
		t.Fatal(err)
	}
}

// postgresBin is the folder of PostgreSQL's programs. A missing server is an
// error, never a reason to pass.
func postgresBin() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err == nil && len(found) > 0 {
		slices.Sort(found)
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("these tests need PostgreSQL's server programs: install the package postgresql")
	}
	return filepath.Dir(path), nil
}

// Disconnect ends all connections to a database and lets nobody in.
func (p *Postgres) Disconnect(t testing.TB, address string) {
	t.Helper()
	p.execute(t, "ALTER DATABASE "+nameOf(t, address)+" ALLOW_CONNECTIONS false")
	p.execute(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+nameOf(t, address)+"'")
}

// Reconnect lets connections in again.
func (p *Postgres) Reconnect(t testing.TB, address string) {
	t.Helper()
	p.execute(t, "ALTER DATABASE "+nameOf(t, address)+" ALLOW_CONNECTIONS true")
}

func nameOf(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path[1:]
}
