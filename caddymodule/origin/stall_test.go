package origin

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A tunnel of which the origin has ended its direction does not outlive a client that says
// nothing more, whichever way it was opened; while the client sends, it stays.
func TestSilentHalfTunnelEnds(t *testing.T) {
	t.Parallel()
	const stall = time.Second
	received := make(chan string, 1)
	address := scripted(t, func(conn net.Conn, r *bufio.Reader) {
		for line := ""; line != "\r\n"; {
			var err error
			if line, err = r.ReadString('\n'); err != nil {
				t.Error(err)
				return
			}
		}
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\nbye")
		_ = conn.(*net.TCPConn).CloseWrite()
		all, _ := io.ReadAll(r)
		received <- string(all)
	})
	s, _ := proxy(t, Config{Address: address, Stall: stall}, false)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n")
	if _, err := io.ReadAll(conn); err != nil { // the origin's end comes through
		t.Fatal(err)
	}
	sent := ""
	for began := time.Now(); time.Since(began) < 4*stall; time.Sleep(stall / 20) {
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Fatalf("after %d bytes: %v", len(sent), err)
		}
		sent += "x"
	}
	select {
	case got := <-received:
		if got != sent {
			t.Errorf("the origin received %d bytes of %d", len(got), len(sent))
		}
	case <-time.After(2 * time.Minute):
		t.Error("the tunnel is still open")
	}
}

// An origin that takes nothing of an upload and answers nothing fails the request, though
// the client is still there. One that has answered may leave the rest unread for longer.
func TestUploadThatNobodyReadsEnds(t *testing.T) {
	t.Parallel()
	const stall = 100 * time.Millisecond
	for _, answers := range []bool{false, true} {
		over := make(chan struct{})
		address := scripted(t, func(conn net.Conn, r *bufio.Reader) {
			_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
			if answers {
				fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhead")
				time.Sleep(5 * stall)
				fmt.Fprint(conn, "tail")
			}
			<-over
		})
		p := patientPool(Config{Address: address, Stall: stall})
		r, body := uploading()
		go func() {
			for err := error(nil); err == nil; {
				_, err = body.Write(make([]byte, 1<<16))
			}
		}()
		w := httptest.NewRecorder()
		result := make(chan error, 1)
		go func() { result <- p.Forward(w, &Outgoing{Request: r, Host: "x"}) }()
		select {
		case err := <-result:
			failed, _ := errors.AsType[*Error](err)
			switch {
			case answers && (err != nil || w.Body.String() != "headtail"):
				t.Errorf("%q, %v", w.Body, err)
			case !answers && (failed == nil || failed.Kind != Timeout || failed.Status() != 504):
				t.Errorf("%v, want a timeout", err)
			}
		case <-time.After(2 * time.Minute):
			t.Errorf("answers %v: it waits", answers)
		}
		body.Close()
		close(over)
		p.Close()
	}
}

// The time that an origin has for an upload does not end what the connection is used for
// afterwards: a further request, with and without a body, and a tunnel.
func TestUploadLeavesNoTimeLimitBehind(t *testing.T) {
	t.Parallel()
	const stall = 200 * time.Millisecond
	for _, next := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
		"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n",
	} {
		var dialed atomic.Int64
		address := scripted(t, func(conn net.Conn, r *bufio.Reader) {
			dialed.Add(1)
			for {
				request, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				if request.Header.Get("Upgrade") != "" {
					fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n")
					_, _ = io.Copy(conn, r)
					return
				}
				_, _ = io.Copy(io.Discard, request.Body)
				fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
		})
		s, _ := proxy(t, Config{Address: address, Stall: stall}, false)
		response, err := http.Post(s.URL, "text/plain", strings.NewReader(strings.Repeat("x", smallBody+1)))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		time.Sleep(2 * stall)
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
		fmt.Fprint(conn, next)
		r := bufio.NewReader(conn)
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%q: %v", next, err)
		}
		switch answer.StatusCode {
		case http.StatusOK:
		case http.StatusSwitchingProtocols:
			fmt.Fprint(conn, "hello")
			if _, err := io.ReadFull(r, make([]byte, 5)); err != nil {
				t.Errorf("a tunnel: %v", err)
			}
		default:
			t.Errorf("%q: %s", next, answer.Status)
		}
		if n := dialed.Load(); n != 1 {
			t.Errorf("%q: %d connections", next, n)
		}
	}
}
