package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// edgeProbe is a path that an edge answers to everybody.
const edgeProbe = protocol.GatePrefix + "boot.js"

// gated starts an app, which ends with the lab, and the real edge before it.
func (l *lab) gated(ctx context.Context, service, edgeKey string) (*process, error) {
	app, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l.cleanups = append(l.cleanups, func() { _ = app.Close() })
	go func() { _ = http.Serve(app, http.HandlerFunc(page)) }()
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	path := filepath.Join(l.dir, "Caddyfile")
	if err := os.WriteFile(path, fmt.Appendf(nil, `{
	admin off
	persist_config off
	default_bind 127.0.0.1
	log {
		level ERROR
		format session_gate_lazy
	}
	session_gate {
		backend http://%s
		edge_key %s
		limits {
			entries_per_address off
		}
	}
}
http://:%s {
	session_gate {
		provider %s
		origin http://%s
	}
}
`, service, edgeKey, port, stubProvider, app.Addr()), 0o600); err != nil {
		return nil, err
	}
	edge, err := l.run("edge", address, l.binary, "run", "--config", path, "--adapter", "caddyfile")
	if err != nil {
		return nil, err
	}
	return edge, await(ctx, "http://"+address+edgeProbe)
}

// page is the app: a small page, and a stream that lasts.
func page(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/stream" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!doctype html><title>App</title><p>"+strings.Repeat("A page of an app. ", 110))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		if _, err := io.WriteString(w, ": still here\n\n"); err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}
