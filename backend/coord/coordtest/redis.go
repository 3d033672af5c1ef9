// Package coordtest gives tests real Redis servers of their own.
package coordtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessiongate/sessiongate/internal/redisurl"
)

// Redis is a redis-server in a temporary folder.
type Redis struct {
	Port int
	dir  string
	args []string
	cmd  *exec.Cmd
}

// Start starts a server that writes nothing to disk unless args say so. It
// stops with the test. A missing server fails the test, never skips it.
func Start(t testing.TB, args ...string) *Redis {
	t.Helper()
	// Not t.TempDir: a server that was killed may leave a child that still writes.
	dir, err := os.MkdirTemp("", "sgredis")
	if err != nil {
		t.Fatal(err)
	}
	r := &Redis{Port: FreePort(t), dir: dir, args: args}
	r.Run(t)
	t.Cleanup(func() {
		r.Kill(t)
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return r
}

// FreePort returns a TCP port that is not in use.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Addr returns the host and port of the server.
func (r *Redis) Addr() string { return "127.0.0.1:" + strconv.Itoa(r.Port) }

// URL returns the address of the server for a coordinator.
func (r *Redis) URL() string { return "redis://" + r.Addr() }

// Run starts the server, again after [Redis.Kill].
func (r *Redis) Run(t testing.TB) {
	t.Helper()
	redis.SetLogger(redisurl.NoLog{}) // servers are down on purpose
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("these tests need redis-server: install the package redis-server")
	}
	line := append([]string{
		"--port", strconv.Itoa(r.Port), "--bind", "127.0.0.1", "--dir", r.dir, "--save", "", "--logfile", filepath.Join(r.dir, "log"),
	}, r.args...)
	r.cmd = exec.Command(bin, line...)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client := r.Client()
	defer client.Close()
	Eventually(t, "redis-server answers", func() error {
		err := client.Ping(context.Background()).Err()
		return err
	})
}

// Kill ends the server at once, as a crash does.
func (r *Redis) Kill(t testing.TB) {
	t.Helper()
	if r.cmd == nil {
		return
	}
	if err := r.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := r.cmd.Wait(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			t.Error(err)
		}
	}
	r.cmd = nil
}

// Client returns a client of the server. The caller closes it.
func (r *Redis) Client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: r.Addr(), MaxRetries: -1, DialTimeout: time.Second, DialerRetries: 1})
}

// Do runs one command.
func (r *Redis) Do(t testing.TB, args ...any) {
	t.Helper()
	client := r.Client()
	defer client.Close()
	if err := client.Do(context.Background(), args...).Err(); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
}

// Cluster starts three masters that share the slots, and returns where a
// coordinator finds them.
func Cluster(t testing.TB) string {
	t.Helper()
	const slots, nodes = 16384, 3
	var list []*Redis
	for range nodes {
		list = append(list, Start(t, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "2000"))
	}
	for i, r := range list {
		r.Do(t, "CLUSTER", "ADDSLOTSRANGE", i*slots/nodes, (i+1)*slots/nodes-1)
		r.Do(t, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
		if i > 0 {
			r.Do(t, "CLUSTER", "MEET", "127.0.0.1", list[0].Port)
		}
	}
	for _, r := range list {
		client := r.Client()
		Eventually(t, "the cluster is whole", func() error {
			info, err := client.ClusterInfo(context.Background()).Result()
			for _, want := range []string{"cluster_state:ok", "cluster_slots_ok:16384", "cluster_known_nodes:3"} {
				if err == nil && !strings.Contains(info, want) {
					err = fmt.Errorf("not yet %s", want)
				}
			}
			return err
		})
		client.Close()
	}
	return "redis+cluster://" + list[0].Addr() + "?addr=" + list[1].Addr()
}

// Sentinel starts a master and a sentinel that knows it, and returns where a
// coordinator finds them.
func Sentinel(t testing.TB) string {
	t.Helper()
	master := Start(t)
	dir, err := os.MkdirTemp("", "sgsentinel")
	if err != nil {
		t.Fatal(err)
	}
	port := FreePort(t)
	config := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nlogfile log\nsentinel monitor main 127.0.0.1 %d 1\n", port, dir, master.Port)
	file := filepath.Join(dir, "sentinel.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("redis-server", file, "--sentinel")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		_ = cmd.Wait() // killed
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	client := redis.NewSentinelClient(&redis.Options{Addr: "127.0.0.1:" + strconv.Itoa(port), MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	Eventually(t, "the sentinel knows its master", func() error {
		return client.GetMasterAddrByName(context.Background(), "main").Err()
	})
	return fmt.Sprintf("redis+sentinel://127.0.0.1:%d?master_name=main", port)
}

// Eventually calls f until it returns nil. It fails the test if that takes too
// long.
func Eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s: %v", what, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
