package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/bench/internal/proc"
)

// postgres starts a PostgreSQL of its own with an empty database, and returns the
// database's URL. Commits do not wait for the disk unless durable is set.
func (l *lab) postgres(ctx context.Context, durable bool) (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.Join(err, errors.New("PostgreSQL's server programs are missing: install the package postgresql"))
	}
	slices.Sort(found)
	bin := filepath.Dir(found[len(found)-1])
	dir := filepath.Join(l.dir, "pg")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	var as []string
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		owner, err := user.Lookup("postgres")
		if err != nil {
			return "", fmt.Errorf("running PostgreSQL as root needs the user postgres: %w", err)
		}
		uid, _ := strconv.Atoi(owner.Uid)
		gid, _ := strconv.Atoi(owner.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			return "", err
		}
		as = []string{"runuser", "-u", "postgres", "--"}
	}
	tool := func(name string, args ...string) error {
		line := append(slices.Clone(as), append([]string{filepath.Join(bin, name)}, args...)...)
		cmd := exec.CommandContext(ctx, line[0], line[1:]...)
		cmd.Dir = dir
		log, err := os.OpenFile(filepath.Join(l.dir, "postgres.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer log.Close()
		cmd.Stdout, cmd.Stderr = log, log // pg_ctl leaves a server behind, which would hold a pipe open
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	data := filepath.Join(dir, "data")
	if err := tool("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"); err != nil {
		return "", err
	}
	options := fmt.Sprintf("-k %s -h '' -c max_connections=300 -c shared_buffers=1GB -c max_wal_size=4GB", dir)
	if !durable {
		options += " -c fsync=off"
	}
	if err := tool("pg_ctl", "-D", data, "-w", "-t", "60", "-l", filepath.Join(dir, "log"), "-o", options, "start"); err != nil {
		return "", err
	}
	l.cleanups = append(l.cleanups, func() {
		ctx = context.WithoutCancel(ctx)
		_ = tool("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
	})
	if err := tool("createdb", "-h", dir, "-U", "postgres", "sg"); err != nil {
		return "", err
	}
	return "postgres://postgres@/sg?host=" + dir, nil
}

// postgresCPU returns the CPU time that PostgreSQL and its present connections have used.
func (l *lab) postgresCPU() (time.Duration, error) {
	pid, err := os.ReadFile(filepath.Join(l.dir, "pg", "data", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(pid), "\n")
	postmaster, err := strconv.Atoi(first)
	if err != nil {
		return 0, err
	}
	return proc.CPU(proc.Tree(postmaster)...)
}

// sql runs statements in a database, and returns what they select.
func (l *lab) sql(ctx context.Context, database, statements string) (string, error) {
	cmd := exec.CommandContext(ctx, "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statements)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
