package doctor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	askTimeout  = 15 * time.Second
	maxPageBody = 1 << 20
)

// What browsers send with a navigation, and with a fetch of a page's script.
var (
	navigation = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none",
		"Upgrade-Insecure-Requests", "1", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Encoding", "gzip"}
	fetch = []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin", "Accept", "*/*"}
)

// question is a request to one address.
type question struct {
	method string
	target *url.URL
	at     netip.AddrPort // what is dialed
	host   string         // the Host header; default: target's
	secret bool           // it carries one: the certificate must be valid
	http1  bool
	header []string // name, value, …
}

// answer is what came of it.
type answer struct {
	*Page
	problem *protocol.Problem // if it is one of ours
}

// code is the problem's, or "".
func (a *answer) code() protocol.Code {
	if a.problem == nil {
		return ""
	}
	return a.problem.Code
}

// server is how the answering program calls itself.
func (a *answer) server() string {
	if s := a.Header.Get("Server"); s != "" {
		return s
	}
	return "an unnamed server"
}

// ask sends q and reads its answer, following no redirect.
func (p *probe) ask(ctx context.Context, q question) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	transport := &http.Transport{
		Proxy:              nil, // whoever it is would see the session
		DisableKeepAlives:  true,
		DisableCompression: true,
		ForceAttemptHTTP2:  !q.http1,
		TLSClientConfig:    &tls.Config{RootCAs: p.Roots, InsecureSkipVerify: !q.secret}, // checkCertificate says what is wrong with it
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return p.dial(ctx, q.at)
		},
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, q.method, q.target.String(), nil)
	if err != nil {
		return nil, err
	}
	if q.host != "" {
		req.Host = q.host
	}
	req.Header.Set("User-Agent", "sessiongate-doctor")
	for i := 0; i+1 < len(q.header); i += 2 {
		req.Header.Set(q.header[i], q.header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		var wrapped *url.Error // names the URL, which may hold a token
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, err
	}
	defer resp.Body.Close()
	a := &answer{Page: &Page{URL: q.target, Status: resp.StatusCode, Header: resp.Header}}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return a, nil
	}
	a.Body, err = io.ReadAll(io.LimitReader(resp.Body, maxPageBody))
	a.Whole = err == nil && len(a.Body) < maxPageBody
	if err != nil && len(a.Body) == 0 {
		return nil, fmt.Errorf("reading the response: %w", err)
	}
	if strings.HasPrefix(a.Header.Get("Content-Type"), protocol.ProblemType) {
		var problem protocol.Problem
		if json.Unmarshal(a.Body, &problem) == nil && problem.Code != "" {
			a.problem = &problem
		}
	}
	return a, nil
}

// at is the domain's URL with another path.
func (p *probe) at(path string) *url.URL {
	return &url.URL{Scheme: p.URL.Scheme, Host: p.URL.Host, Path: path}
}
