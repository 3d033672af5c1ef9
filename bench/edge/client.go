package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// client is one connection to a proxy. It costs as little as it can, so that the
// machine's other core is not what is measured, and looks at each answer.
type client interface {
	// run asks for as long as more says so, waits for what is in flight, and returns
	// how many answers came.
	run(more func() bool) (int, error)
	close()
}

// dial opens a connection of a load; n tells connections apart.
func (c *contender) dial(ctx context.Context, l load, n int) (client, error) {
	address := c.address
	if l.protocol != http1 {
		address = c.tlsAddress
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if l.protocol != http1 {
		protocol := "http/1.1"
		if l.protocol == https2 {
			protocol = "h2"
		}
		secure := tls.Client(conn, &tls.Config{RootCAs: c.roots, ServerName: host, NextProtos: []string{protocol}})
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		if got := secure.ConnectionState().NegotiatedProtocol; got != protocol && !(got == "" && l.protocol == https1) {
			conn.Close()
			return nil, fmt.Errorf("the server chose protocol %q, not %q", got, protocol)
		}
		conn = secure
	}
	// A minute is more than any measurement takes: a proxy that hangs is reported.
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	w := want{task: l.task, page: l.page, tagged: c.tagged}
	switch {
	case l.task == echoMessage:
		return newEchoClient(conn, c.cookie(l.protocol, n))
	case l.protocol == https2:
		return newHTTP2Client(conn, w, c.cookie(l.protocol, n))
	default:
		return &http1Client{conn: conn, r: bufio.NewReaderSize(conn, 64<<10), want: w,
			cookie: func(i int) string { return c.cookie(l.protocol, n+i) }}, nil
	}
}

// host is the provider's domain.
const host = "app.example"

// want is what the answers of a load have to be.
type want struct {
	task   task
	page   cell
	tagged bool // the proxy writes our tag into pages
	seen   int
}

// tag is the beginning of what proxies write into a page.
var tag = []byte("<head><script src=\"/.session-gate/boot")

// check looks at an answer. It decompresses the first page of a connection and
// each hundredth, since that costs more than the rest of the load.
func (w *want) check(status int, coding string, body []byte) error {
	w.seen++
	if status != 200 {
		return fmt.Errorf("answered %d: %.200q", status, body)
	}
	if w.task == postJSON {
		if !bytes.Equal(body, postAnswer) {
			return fmt.Errorf("answered %.100q for JSON", body)
		}
		return nil
	}
	if (coding == "gzip") != w.page.gzip {
		return fmt.Errorf("answered with Content-Encoding %q", coding)
	}
	if w.page.gzip {
		if len(body) < 100 {
			return fmt.Errorf("answered %d bytes of gzip", len(body))
		}
		if w.seen%100 != 1 {
			return nil
		}
		zr, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return err
		}
		if body, err = io.ReadAll(zr); err != nil {
			return err
		}
	}
	plain := pages[strconv.Itoa(w.page.size)][0]
	if got := bytes.Contains(body[:min(len(body), 1024)], tag); got != w.tagged {
		return fmt.Errorf("the page has our tag: %t; it should: %t", got, w.tagged)
	}
	if !w.tagged && len(body) != len(plain) || len(body) < len(plain) || !bytes.HasSuffix(body, []byte("</body></html>")) {
		return fmt.Errorf("the page has %d bytes, the origin's %d", len(body), len(plain))
	}
	return nil
}

// http1Client asks one request after another over a kept-alive connection.
type http1Client struct {
	conn   net.Conn
	r      *bufio.Reader
	want   want
	cookie func(int) string
	sent   int
	req    []byte
	body   []byte
}

func (c *http1Client) close() { c.conn.Close() }

func (c *http1Client) run(more func() bool) (int, error) {
	n := 0
	for ; more(); n++ {
		if err := c.ask(); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (c *http1Client) ask() error {
	c.req = c.req[:0]
	if c.want.task == postJSON {
		c.req = append(c.req, "POST /post HTTP/1.1\r\nHost: "+host+"\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nAccept: application/json\r\nContent-Type: application/json\r\nContent-Length: "...)
		c.req = strconv.AppendInt(c.req, int64(len(postBody)), 10)
		c.req = append(c.req, "\r\n"...)
	} else {
		c.req = append(append(append(c.req, "GET "...), c.want.page.path()...), " HTTP/1.1\r\nHost: "+host+"\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nAccept: text/html\r\n"...)
		if c.want.page.gzip {
			c.req = append(c.req, "Accept-Encoding: gzip\r\n"...)
		}
	}
	c.req = append(append(append(c.req, "Cookie: theme=dark; "...), c.cookie(c.sent)...), "\r\n\r\n"...)
	if c.want.task == postJSON {
		c.req = append(c.req, postBody...)
	}
	c.sent++
	if _, err := c.conn.Write(c.req); err != nil {
		return err
	}
	var head messageHead
	for {
		if err := head.read(c.r); err != nil {
			return fmt.Errorf("reading an answer: %w", err)
		}
		status, err := head.status()
		if err != nil {
			return err
		}
		if status/100 == 1 {
			continue
		}
		if c.body, err = head.readBody(c.r, c.body[:0]); err != nil {
			return fmt.Errorf("reading an answer's body: %w", err)
		}
		return c.want.check(status, head.coding, c.body)
	}
}
