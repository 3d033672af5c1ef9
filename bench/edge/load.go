package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// contender is one proxy under test.
type contender struct {
	name    string
	what    string // one line for the report
	address string
	pids    func() []int // whose CPU counts
	cookies []string     // sent in turn; empty: none
	tagged  bool         // writes our tag into pages
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
	return float64((after - before).Nanoseconds()) / 1e3 / float64(n), ctx.Err()
}

// check looks whether the contender does what it is measured for: pages with
// the tag in them or, for those that write none, as they were.
func (c *contender) check(ctx context.Context, page cell) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.address+page.path(), nil)
	if err != nil {
		return err
	}
	req.Host = "app.example"
	req.Header = http.Header{
		"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Accept": {"text/html"}, "Accept-Encoding": {"identity"},
		"Cookie": {"session_gate=" + c.cookies[0]},
	}
	if page.gzip {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body := io.Reader(resp.Body)
	if page.gzip {
		if body, err = gzip.NewReader(resp.Body); err != nil {
			return err
		}
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if got := bytes.Contains(text, []byte("<head><script src=\"/.session-gate/boot")); got != c.tagged {
		return fmt.Errorf("the page has our tag: %t; it should: %t", got, c.tagged)
	}
	if len(text) < page.size-40 {
		return fmt.Errorf("the page has %d bytes of %d", len(text), page.size)
	}
	return nil
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

// cpuOf is the CPU time that processes have used so far, to the nanosecond: the
// kernel's other counters tick a hundred times a second.
func cpuOf(pids []int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		tasks, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "schedstat"))
		if err != nil || len(tasks) == 0 {
			return 0, fmt.Errorf("reading the CPU time of %d: no schedstat in its tasks", pid)
		}
		for _, task := range tasks {
			stat, err := os.ReadFile(task)
			if errors.Is(err, fs.ErrNotExist) {
				continue // a thread that has ended since
			}
			first, _, _ := strings.Cut(string(stat), " ")
			ns, e := strconv.ParseInt(first, 10, 64)
			if err = errors.Join(err, e); err != nil {
				return 0, fmt.Errorf("reading the CPU time of %d: %w", pid, err)
			}
			sum += time.Duration(ns)
		}
	}
	return sum, nil
}
