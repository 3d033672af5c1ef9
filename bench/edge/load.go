package main

import (
	"fmt"
	"regexp"
)

// protocol is how a client speaks to the proxy.
type protocol int

const (
	http1  protocol = iota // HTTP/1.1 without TLS
	https1                 // HTTP/1.1 over TLS
	https2                 // HTTP/2 over TLS
)

func (p protocol) String() string {
	return [...]string{"HTTP/1.1", "TLS with HTTP/1.1", "TLS with HTTP/2"}[p]
}

// streams is how many requests a connection of HTTP/2 has in flight.
const streams = 4

// task is what clients do.
type task int

const (
	getPage task = iota
	postJSON
	echoMessage
)

// cell is one kind of page.
type cell struct {
	size int
	gzip bool
}

func (c cell) String() string {
	coding := "identity"
	if c.gzip {
		coding = "gzip"
	}
	return fmt.Sprintf("%d KB, %s", c.size>>10, coding)
}

func (c cell) path() string {
	return fmt.Sprintf("/page?size=%d", c.size)
}

var cells = []cell{{2 << 10, false}, {2 << 10, true}, {32 << 10, false}, {32 << 10, true}, {512 << 10, false}, {512 << 10, true}}

// load is one kind of traffic.
type load struct {
	task     task
	page     cell // of getPage
	protocol protocol
	conns    int
}

// what names the load within its table.
func (l load) what() string {
	switch l.task {
	case postJSON:
		return "POST of 16 KB, answered with JSON"
	case echoMessage:
		return "WebSocket message and its echo"
	default:
		return l.page.String()
	}
}

func (l load) String() string {
	noun := "connections"
	if l.conns == 1 {
		noun = "connection"
	}
	return fmt.Sprintf("%s, %s, %d %s", l.what(), l.protocol, l.conns, noun)
}

// many is how many connections the main tables have.
const many = 32

// pageLoads are all pages over a number of connections without TLS.
func pageLoads(conns int) []load {
	var list []load
	for _, page := range cells {
		list = append(list, load{page: page, conns: conns})
	}
	return list
}

// tlsLoads are small pages over TLS, by both protocols.
func tlsLoads() []load {
	var list []load
	for _, p := range []protocol{https1, https2} {
		for _, page := range cells[:4] {
			list = append(list, load{page: page, protocol: p, conns: many})
		}
	}
	return list
}

// otherLoads are what apps do beside pages.
func otherLoads() []load {
	return []load{{task: postJSON, conns: many}, {task: echoMessage, conns: many}}
}

// chosen are the loads whose names match.
func chosen(list []load, pattern *regexp.Regexp) []load {
	var out []load
	for _, l := range list {
		if pattern.MatchString(l.String()) {
			out = append(out, l)
		}
	}
	return out
}
