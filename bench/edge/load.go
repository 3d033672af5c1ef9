package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the kernel's unit of process times (USER_HZ), 100 a second on
// every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// contender is one proxy under test.
type contender struct {
	name    string
	what    string // one line for the report
	address string
	pids    func() []int // whose CPU counts
	cookies []string     // sent in turn; empty: none
	conn    *client
}

// measure asks for a page for a while and returns the proxy's µs of CPU for
// each request.
func (c *contender) measure(ctx context.Context, page cell, d time.Duration) (float64, error) {
	if c.conn == nil {
		c.conn = &client{address: c.address}
	}
	// Warm: connections, pools, and the canary that looks at an origin's first
	// compressed answer.
	for range 50 {
		if err := c.ask(page); err != nil {
			return 0, err
		}
	}
	before, err := cpuOf(c.pids())
	if err != nil {
		return 0, err
	}
	n := 0
	for end := time.Now().Add(d); time.Now().Before(end) && ctx.Err() == nil; n++ {
		if err := c.ask(page); err != nil {
			return 0, err
		}
	}
	after, err := cpuOf(c.pids())
	if err != nil {
		return 0, err
	}
	return float64((after - before).Microseconds()) / float64(n), ctx.Err()
}

func (c *contender) ask(page cell) error {
	cookie := ""
	if len(c.cookies) > 0 {
		cookie = c.cookies[c.conn.sent%len(c.cookies)]
	}
	return c.conn.get(page, cookie)
}

// client is one keep-alive connection that costs as little as it can, so that
// the machine's other core is not what is measured.
type client struct {
	address string
	conn    net.Conn
	r       *bufio.Reader
	req     []byte
	sent    int
}

func (c *client) get(page cell, cookie string) error {
	if c.conn == nil {
		conn, err := net.Dial("tcp", c.address)
		if err != nil {
			return err
		}
		c.conn, c.r = conn, bufio.NewReaderSize(conn, 64<<10)
	}
	c.sent++
	c.req = c.req[:0]
	c.req = append(c.req, "GET "...)
	c.req = append(c.req, page.path()...)
	c.req = append(c.req, " HTTP/1.1\r\nHost: app.example\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nAccept: text/html\r\n"...)
	if page.gzip {
		c.req = append(c.req, "Accept-Encoding: gzip\r\n"...)
	}
	if cookie != "" {
		c.req = append(append(append(c.req, "Cookie: theme=dark; session_gate="...), cookie...), "\r\n"...)
	}
	c.req = append(c.req, "\r\n"...)
	if _, err := c.conn.Write(c.req); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("answered %s", resp.Status)
	case (resp.Header.Get("Content-Encoding") == "gzip") != page.gzip:
		return fmt.Errorf("answered with Content-Encoding %q", resp.Header.Get("Content-Encoding"))
	case n == 0:
		return errors.New("answered nothing")
	}
	return nil
}

// cpuOf is the CPU time that processes have used so far.
func cpuOf(pids []int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		if err != nil {
			return 0, fmt.Errorf("reading the CPU time of %d: %w", pid, err)
		}
		// After the name, which may hold spaces, in brackets: utime and stime
		// are the 14th and 15th field of all (proc(5)).
		_, rest, ok := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
		fields := strings.Fields(rest)
		if !ok || len(fields) < 13 {
			return 0, fmt.Errorf("the CPU time of %d is not readable", pid)
		}
		for _, f := range fields[11:13] {
			ticks, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				return 0, err
			}
			sum += time.Duration(ticks) * clockTick
		}
	}
	return sum, nil
}
