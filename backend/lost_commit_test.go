package backend_test

import (
	"bytes"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// forgetful stands before a PostgreSQL and loses the answer to the commit of the
// transaction in which it saw a word: the transaction is committed, and whoever
// asked for it is not told.
type forgetful struct {
	word atomic.Pointer[string]
	lost atomic.Int64
}

// before makes f stand before the database at address, and returns its own.
func (f *forgetful) before(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return // closed
			}
			out, err := net.Dial("unix", u.Query().Get("host")+"/.s.PGSQL.5432")
			if err != nil {
				in.Close()
				continue
			}
			var lose atomic.Bool
			all.Go(func() { f.ask(in, out, &lose) })
			all.Go(func() { f.answer(out, in, &lose) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return "postgres://postgres@" + l.Addr().String() + u.Path + "?sslmode=disable"
}

func (f *forgetful) ask(from, to net.Conn, lose *atomic.Bool) {
	defer from.Close()
	defer to.Close()
	seen := false
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(bytes.ToLower(buf[:n]), []byte("begin")) {
			seen = false // of the transaction before, on the same connection
		}
		if word := f.word.Load(); word != nil && bytes.Contains(buf[:n], []byte(*word)) {
			seen = true
		}
		if seen && bytes.Contains(bytes.ToLower(buf[:n]), []byte("commit")) {
			lose.Store(true)
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (f *forgetful) answer(from, to net.Conn, lose *atomic.Bool) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if lose.Load() {
			f.lost.Add(1)
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// A change that was committed reaches the edges, also when the service did not
// live to hear that it was.
func TestLostCommitIsTold(t *testing.T) {
	t.Parallel()
	var between forgetful
	w := newWorldOn(t, between.before(t, postgres.Database(t)))
	w.run()
	id, _ := w.sell()
	events, stop := w.follow("")
	defer stop()
	next(t, events, "reset")
	between.word.Store(&id) // statements of others say "revoked", too
	a := w.call("POST", "/api/v1/sessions/"+id+"/revoke", w.market, map[string]any{"refund": "full"}).want(503)
	if between.lost.Load() != 1 || strings.Contains(string(a.raw), "revoked") {
		t.Fatalf("lost %d answers: %s", between.lost.Load(), a.raw)
	}
	stateOf(t, events, id, "revoked")
	if got := w.ask(id); got != "revoked" {
		t.Errorf("whoever asks is told: %s", got)
	}
}
