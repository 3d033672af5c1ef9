package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"time"
)

// bareCommand is the argument with which this program is Go's bare proxy.
const bareCommand = "bare-proxy"

// bare is what the standard library's proxy costs without a server's features
// and without a gate, in a process of its own.
func (f *field) bare(ctx context.Context) (*contender, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &contender{
		address: freeAddress(), tlsAddress: freeAddress(), roots: f.certificate.roots, cookies: f.launches,
		what: "`httputil.ReverseProxy` of Go's standard library behind `http.Server`, with pooled buffers and a transport that keeps connections: no session is checked, no page is touched, no log, no metrics",
	}
	c.command = func() *exec.Cmd {
		return f.command(ctx, "0", self, bareCommand, c.address, c.tlsAddress, f.origin.address, f.certificate.cert, f.certificate.key)
	}
	return c, c.start(f)
}

// bareProxy serves until the process is stopped.
func bareProxy(args []string) error {
	if len(args) != 5 {
		return errors.New("the arguments are address, TLS address, origin, certificate and key")
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: args[2]})
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 1000,
			IdleConnTimeout:     time.Minute,
			DisableCompression:  true,
			ReadBufferSize:      64 << 10,
		},
		BufferPool: buffers{pool: &sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}},
	}
	failed := make(chan error, 2)
	go func() { failed <- (&http.Server{Addr: args[0], Handler: proxy}).ListenAndServe() }()
	go func() { failed <- (&http.Server{Addr: args[1], Handler: proxy}).ListenAndServeTLS(args[3], args[4]) }()
	return <-failed
}

// buffers is httputil's pool of buffers.
type buffers struct{ pool *sync.Pool }

func (b buffers) Get() []byte  { return *b.pool.Get().(*[]byte) }
func (b buffers) Put(p []byte) { b.pool.Put(&p) }
