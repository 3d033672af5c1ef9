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

// Headers that browsers send with a navigation, and with a fetch by a page's
// script.
var (
	navigation = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none",
		"Upgrade-Insecure-Requests", "1", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Encoding", "gzip"}
	fetch = []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin", "Accept", "*/*"}
)

// question is a request to one address.
type question struct {
	method string
	target *url.URL
	at     netip.AddrPort // the address to dial
	host   string         // the Host header. Default: that of target
	secret bool           // it carries a secret, so the certificate must be valid
	http1  bool
	header []string // name, value, …
}

// answer is the response to a question.
type answer struct {
	*Page
	problem *protocol.Problem // the body as a problem document, or nil
	asked   time.Time         // just before the request, by [Config.Now]
	heard   time.Time         // just after the header of the response
}

// code returns the code of the problem document, or "".
func (a *answer) code() protocol.Code {
	if a.problem == nil {
		return ""
	}
	return a.problem.Code
}

// server returns the name in the Server header.
func (a *answer) server() string {
	if s := a.Header.Get("Server"); s != "" {
		return s
	}
	return "an unnamed server"
}

// ask sends q and reads the response. It does not follow redirects, and its errors
// contain no URL.
func (p *probe) ask(ctx context.Context, q question) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	transport := &http.Transport{
		Proxy:              nil, // a proxy would see the session
		DisableKeepAlives:  true,
		DisableCompression: true,
		ForceAttemptHTTP2:  !q.http1,
		TLSClientConfig:    &tls.Config{RootCAs: p.Roots, InsecureSkipVerify: !q.secret}, // checkCertificate reports what is wrong with it
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
	asked := p.Now()
	resp, err := client.Do(req)
	heard := p.Now()
	if err != nil {
		var wrapped *url.Error // its text contains the URL, which may hold a token
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, err
	}
	defer resp.Body.Close()
	a := &answer{Page: &Page{URL: q.target, Status: resp.StatusCode, Header: resp.Header}, asked: asked, heard: heard}
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

// at returns the domain's URL with another path.
func (p *probe) at(path string) *url.URL {
	return &url.URL{Scheme: p.URL.Scheme, Host: p.URL.Host, Path: path}
}
