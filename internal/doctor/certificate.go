package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

const dialTimeout = 8 * time.Second

// checkCertificate checks the certificate that each address serves.
func (p *probe) checkCertificate(ctx context.Context) {
	const name = "tls"
	if len(p.addresses) == 0 {
		p.note(name, NotChecked, "no address to connect to", "")
		return
	}
	if p.URL.Scheme != "https" {
		p.checkPlain(ctx)
		return
	}
	p.trusted = true
	var last Check
	var allowed []netip.AddrPort
	for _, address := range p.addresses {
		check := p.certificateAt(ctx, address)
		if check.Grade == Failed {
			p.trusted = false
		}
		if check.Grade != NotChecked {
			allowed = append(allowed, address)
		}
		if last.Grade == "" || check.Grade == Failed || last.Grade == OK {
			last = check
		}
	}
	p.addresses = allowed
	p.note(name, last.Grade, last.Found, last.Remedy)
}

// checkPlain checks whether a site without TLS accepts connections.
func (p *probe) checkPlain(ctx context.Context) {
	const name = "tls"
	var allowed, forbidden []netip.AddrPort
	for _, address := range p.addresses {
		conn, err := p.dial(ctx, address)
		switch {
		case errors.Is(err, errForbidden):
			forbidden = append(forbidden, address)
			continue
		case err != nil:
			p.note(name, Failed, fmt.Sprintf("cannot connect to %s: %s", address, plainly(err)), remedyUnreachable)
			return
		}
		conn.Close()
		allowed = append(allowed, address)
		p.reached = true
		p.trusted = true // there is no certificate to check; a warning follows below
	}
	p.addresses = allowed
	switch {
	case len(forbidden) > 0:
		p.note(name, NotChecked, fmt.Sprintf("%s: %s", forbidden[0], errForbidden), remedyForbidden)
	case !slices.ContainsFunc(allowed, func(a netip.AddrPort) bool { return !a.Addr().IsLoopback() }):
		p.note(name, NotChecked, "plain HTTP on this machine", "")
	default:
		p.note(name, Warning, "plain HTTP: the session cookie can be read in transit", "Serve the site over https; Caddy obtains the certificate automatically.")
	}
}

const remedyUnreachable = "Make sure that the edge is running and that connections from the internet reach this port: check the firewall and port forwarding."

func (p *probe) certificateAt(ctx context.Context, address netip.AddrPort) Check {
	raw, err := p.dial(ctx, address)
	if errors.Is(err, errForbidden) {
		return Check{Grade: NotChecked, Found: fmt.Sprintf("%s: %s", address, errForbidden), Remedy: remedyForbidden}
	}
	if err != nil {
		return Check{Grade: Failed, Found: fmt.Sprintf("cannot connect to %s: %s", address, plainly(err)), Remedy: remedyUnreachable}
	}
	defer raw.Close()
	host := p.URL.Hostname()
	// judgeCertificate verifies it, so that the report can name the reason.
	conn := tls.Client(raw, &tls.Config{ServerName: host, InsecureSkipVerify: true})
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return Check{Grade: Failed, Found: fmt.Sprintf("%s has no certificate for %s: %s", address, host, plainly(err)),
			Remedy: "An edge with `permission session_gate` obtains certificates for registered domains only. Register the domain with its provider (PATCH /api/v1/providers/{id}), and see the edge's log for errors of its certificate issuer."}
	}
	p.reached = true
	chain := conn.ConnectionState().PeerCertificates
	return judgeCertificate(chain, host, p.Roots, p.Now())
}

// judgeCertificate grades the certificate chain that a server sent for host.
func judgeCertificate(chain []*x509.Certificate, host string, roots *x509.CertPool, now time.Time) Check {
	leaf := chain[0]
	pool := x509.NewCertPool()
	for _, c := range chain[1:] {
		pool.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Intermediates: pool, Roots: roots, CurrentTime: now})
	left := leaf.NotAfter.Sub(now)
	var wrongName x509.HostnameError
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case now.After(leaf.NotAfter):
		return Check{Grade: Failed, Found: fmt.Sprintf("the certificate expired on %s", day(leaf.NotAfter)),
			Remedy: "See the edge's log for why it was not renewed. The most common reason is that port 80 or 443 no longer reaches the edge."}
	case now.Before(leaf.NotBefore):
		return Check{Grade: Failed, Found: fmt.Sprintf("the certificate is not valid before %s", day(leaf.NotBefore)), Remedy: "Check the clocks of this machine and of the edge."}
	case errors.As(err, &wrongName):
		return Check{Grade: Failed, Found: fmt.Sprintf("the certificate is for %s, not for %s", names(leaf), host),
			Remedy: "Add a site for this name to the edge's Caddyfile, or register the domain with its provider. If another server answers, correct the DNS records."}
	case errors.As(err, &unknown):
		return Check{Grade: Failed, Found: fmt.Sprintf("the certificate is not from an authority that browsers trust: its issuer is %s", issuer(leaf)),
			Remedy: "Let Caddy obtain one from a public authority: remove `local_certs` and `tls internal`. If you use your own certificate, also serve its intermediate certificates."}
	case errors.As(err, &invalid):
		return Check{Grade: Failed, Found: fmt.Sprintf("the certificate of %s is not valid: %v", issuer(leaf), invalid), Remedy: "Obtain a new certificate; Caddy does this automatically."}
	case err != nil:
		return Check{Grade: Failed, Found: fmt.Sprintf("the certificate is not valid: %v", err), Remedy: "Obtain a new certificate; Caddy does this automatically."}
	}
	found := fmt.Sprintf("valid until %s, for %s, by %s", day(leaf.NotAfter), names(leaf), issuer(leaf))
	// Caddy renews a certificate when a third of its lifetime is left.
	if life := leaf.NotAfter.Sub(leaf.NotBefore); left < life/6 {
		return Check{Grade: Warning, Found: found, Remedy: "It should have been renewed by now. See the edge's log for errors of its certificate issuer."}
	}
	return Check{Grade: OK, Found: found}
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

func names(c *x509.Certificate) string {
	list := c.DNSNames
	for _, ip := range c.IPAddresses {
		list = append(list, ip.String())
	}
	if len(list) == 0 {
		return "no name"
	}
	if len(list) > 4 {
		list = append(list[:4:4], "others")
	}
	return strings.Join(list, ", ")
}

func issuer(c *x509.Certificate) string {
	if len(c.Issuer.Organization) > 0 {
		return strings.Join(c.Issuer.Organization, ", ")
	}
	if c.Issuer.CommonName != "" {
		return c.Issuer.CommonName
	}
	return "an unnamed issuer"
}

// dial connects to an address. It returns errForbidden if [Config.Control]
// rejects the address.
func (p *probe) dial(ctx context.Context, address netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	if p.Control != nil {
		d.Control = func(network, address string, c syscall.RawConn) error {
			if p.Control(network, address, c) != nil {
				return errForbidden
			}
			return nil
		}
	}
	return d.DialContext(ctx, "tcp", address.String())
}

// errForbidden means that [Config.Control] rejected an address.
var errForbidden = errors.New("it is not a public address; this service does not check it")

const remedyForbidden = "Run `sessiongate doctor` on a machine in a network that visitors use."

// plainly returns the text of a network error without the addresses in it.
func plainly(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	return err.Error()
}
