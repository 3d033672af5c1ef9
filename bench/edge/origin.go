package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// pages are the origin's pages, made once, by size; [1] is the gzip.
var pages = make(map[string][2][]byte)

// answers are the same with their heads, by what was asked for.
var answers = make(map[string][2][]byte)

// identityPath is where the origin says what it was told of the session.
const identityPath = "/identity"

// postBody and postAnswer are what a form of an app sends, and gets.
var postBody, postAnswer []byte

func init() {
	const head = "HTTP/1.1 200 OK\r\nDate: Thu, 01 Oct 2026 08:00:00 GMT\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n"
	for _, c := range cells {
		var b bytes.Buffer
		b.WriteString("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Page</title></head><body>")
		for i := 0; b.Len() < c.size-20; i++ {
			fmt.Fprintf(&b, "<p id=\"p%d\">Paragraph %d of %x.</p>\n", i, i*i, i*7919)
		}
		b.WriteString("</body></html>")
		var z bytes.Buffer
		zw := gzip.NewWriter(&z)
		_, _ = zw.Write(b.Bytes())
		_ = zw.Close()
		pages[strconv.Itoa(c.size)] = [2][]byte{b.Bytes(), z.Bytes()}
		answers["GET "+c.path()] = [2][]byte{
			append(fmt.Appendf(nil, head, "text/html; charset=utf-8", "", b.Len()), b.Bytes()...),
			append(fmt.Appendf(nil, head, "text/html; charset=utf-8", "Content-Encoding: gzip\r\n", z.Len()), z.Bytes()...),
		}
	}
	postBody = append(append([]byte(`{"text":"`), bytes.Repeat([]byte("sixteen of these "), 1<<10)[:16<<10-11]...), `"}`...)
	postAnswer = append(append([]byte(`{"saved":true,"text":"`), bytes.Repeat([]byte("an answer "), 50)...), `"}`...)
	answer := append(fmt.Appendf(nil, head, "application/json", "", len(postAnswer)), postAnswer...)
	answers["POST /post"] = [2][]byte{answer, answer}
}

// origin is an app's server that costs as little as it can: it shares its core
// with the load, and neither is what is measured.
type origin struct {
	listener net.Listener
	address  string
}

func newOrigin() (*origin, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o := &origin{listener: ln, address: ln.Addr().String()}
	go o.accept()
	return o, nil
}

func (o *origin) accept() {
	for {
		conn, err := o.listener.Accept()
		if err != nil {
			return // closed
		}
		go func() {
			defer conn.Close()
			_ = serve(conn)
		}()
	}
}

func (o *origin) close() { o.listener.Close() }

func serve(conn net.Conn) error {
	r := bufio.NewReaderSize(conn, 32<<10)
	var head messageHead
	var body []byte
	for {
		if err := head.read(r); err != nil {
			return err
		}
		if head.key != "" {
			return echo(conn, r, head.key)
		}
		var err error
		if body, err = head.readBody(r, body[:0]); err != nil {
			return err
		}
		asked := strings.TrimSuffix(head.start, " HTTP/1.1")
		answer, ok := answers[asked]
		out := answer[0]
		switch {
		case asked == "GET "+identityPath:
			text := fmt.Sprintf("session %s, token %t", head.session, head.token)
			out = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
		case !ok:
			out = []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		case asked == "POST /post" && !bytes.Equal(body, postBody):
			out = []byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
		case strings.Contains(head.accept, "gzip"):
			out = answer[1]
		}
		if _, err := conn.Write(out); err != nil {
			return err
		}
	}
}
