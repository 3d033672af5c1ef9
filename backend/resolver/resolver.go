// Package resolver asks DNS for the records that prove a domain. It speaks to the one
// resolver that the operator configured and connects to nothing that an answer names.
package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/sessiongate/sessiongate/backend/domain"
)

const (
	// Limits of one [Client.Look].
	lookTimeout = 8 * time.Second
	askTimeout  = 2 * time.Second // of one question to one server
	maxServers  = 3
	maxAliases  = 8
	maxTexts    = 20
	maxText     = 255  // bytes of a text that are kept
	udpSize     = 1232 // avoids fragments

	systemConfig = "/etc/resolv.conf"
)

// Client asks DNS. It is safe for concurrent use.
type Client struct {
	servers []string // host:port
}

// New returns a client of the resolver at address, a host or host:port. If address is
// empty, the client asks the system's resolvers.
func New(address string) (*Client, error) {
	if address == "" {
		return &Client{servers: systemServers()}, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = strings.Trim(address, "[]"), "53"
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 || host == "" || strings.ContainsAny(host, "/ @") {
		return nil, fmt.Errorf("DNS resolver %q must be host:port, such as 127.0.0.1:53", address)
	}
	if _, err := netip.ParseAddr(host); err != nil && strings.Contains(host, ":") {
		return nil, fmt.Errorf("DNS resolver %q must be host:port, such as 127.0.0.1:53", address)
	}
	return &Client{servers: []string{net.JoinHostPort(host, port)}}, nil
}

// systemServers reads the system's resolvers, as the C library does. A system without
// such a file has the resolver of its own machine or none.
func systemServers() []string {
	config, err := dns.ClientConfigFromFile(systemConfig)
	if err != nil || len(config.Servers) == 0 {
		return []string{"127.0.0.1:53"}
	}
	var list []string
	for _, server := range config.Servers[:min(len(config.Servers), maxServers)] {
		list = append(list, net.JoinHostPort(server, config.Port))
	}
	return list
}

// LookupNetIP returns the addresses of a host at the client's resolver.
func (c *Client) LookupNetIP(ctx context.Context, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, c.servers[0])
	}}
	return r.LookupNetIP(ctx, "ip", host+".") // absolute: no search domains
}

// Look asks for everything that can prove name: its aliases and the texts at
// _sessiongate and the name. Aliases are followed while they stay in the name's own
// zone: what lies beyond says nothing about the owner of the name.
func (c *Client) Look(ctx context.Context, name string) domain.Answer {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var a domain.Answer
	var failed error
	exists := true
	zone := domain.Zone(name)
	for at := name; len(a.Aliases) < maxAliases && domain.Zone(at) == zone; {
		reply, err := c.ask(ctx, at, dns.TypeCNAME)
		if err != nil {
			failed = err
			break
		}
		if at == name {
			exists = reply.Rcode != dns.RcodeNameError
		}
		alias := aliasOf(reply, at)
		if alias == "" || alias == name {
			break
		}
		a.Aliases = append(a.Aliases, alias)
		at = alias
	}
	label := domain.TXTPrefix + "." + name
	reply, err := c.ask(ctx, label, dns.TypeTXT)
	if err != nil {
		failed = errors.Join(failed, err)
	} else {
		a.Texts = textsOf(reply, label)
	}
	a.Incomplete = failed != nil
	a.Found = c.describe(ctx, name, a, exists, failed)
	return a
}

// describe says what was found, as text for people.
func (c *Client) describe(ctx context.Context, name string, a domain.Answer, exists bool, failed error) string {
	var parts []string
	switch {
	case len(a.Aliases) > 0:
		parts = append(parts, "CNAME "+strings.Join(a.Aliases, ", then "))
	case failed != nil:
		return "DNS did not answer: " + failed.Error()
	case !exists:
		parts = append(parts, name+" has no DNS record")
	default:
		// For people only: it decides nothing.
		list, err := c.LookupNetIP(ctx, name)
		var texts []string
		for _, address := range list[:min(len(list), maxAliases)] {
			texts = append(texts, address.Unmap().String())
		}
		if err != nil || len(texts) == 0 {
			parts = append(parts, "no CNAME and no address")
		} else {
			parts = append(parts, "no CNAME, but addresses "+strings.Join(texts, ", "))
		}
	}
	if len(a.Texts) > 0 {
		parts = append(parts, "TXT "+strings.Join(a.Texts, ", "))
	} else if len(a.Aliases) == 0 && exists {
		parts = append(parts, "no TXT at "+domain.TXTPrefix)
	}
	text := strings.Join(parts, "; ")
	return text[:min(len(text), 500)]
}

// ask sends one question to the servers in order until one of them decides it.
func (c *Client) ask(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	var last error
	for _, server := range c.servers {
		reply, err := exchange(ctx, server, name, kind)
		if err == nil {
			return reply, nil
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

// exchange asks one server, over UDP and, if the answer does not fit, over TCP. Only
// an answer to the question that says what exists is no error.
func exchange(ctx context.Context, server, name string, kind uint16) (*dns.Msg, error) {
	question := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	question.SetEdns0(udpSize, false)
	for _, network := range []string{"udp", "tcp"} {
		client := &dns.Client{Net: network, Timeout: askTimeout, UDPSize: udpSize}
		reply, _, err := client.ExchangeContext(ctx, question, server)
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout():
			return nil, errors.New("the resolver timed out")
		case err != nil:
			return nil, errors.New("the resolver cannot be reached") // without its address
		case len(reply.Question) != 1 || !strings.EqualFold(reply.Question[0].Name, question.Question[0].Name) || reply.Question[0].Qtype != kind:
			return nil, errors.New("the resolver answered another question")
		case reply.Truncated && network == "udp":
			continue
		case reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError:
			return nil, errors.New("the resolver answered " + dns.RcodeToString[reply.Rcode])
		}
		return reply, nil
	}
	return nil, errors.New("the answer does not fit")
}

// aliasOf returns the name that name is an alias of, or "".
func aliasOf(reply *dns.Msg, name string) string {
	for _, record := range reply.Answer {
		if r, ok := record.(*dns.CNAME); ok && sameName(r.Hdr.Name, name) {
			return plainName(r.Target)
		}
	}
	return ""
}

// textsOf returns the texts at name itself. Texts behind an alias of the name are the
// texts of somebody else.
func textsOf(reply *dns.Msg, name string) (list []string) {
	for _, record := range reply.Answer {
		if r, ok := record.(*dns.TXT); ok && sameName(r.Hdr.Name, name) && len(list) < maxTexts {
			text := strings.ReplaceAll(strings.Join(r.Txt, ""), `\"`, `"`) // package dns escapes quotes
			list = append(list, printable(text))
		}
	}
	return list
}

func sameName(a, b string) bool { return plainName(a) == plainName(b) }

// plainName returns a name of DNS in lower case without the last dot.
func plainName(name string) string { return strings.ToLower(strings.TrimSuffix(printable(name), ".")) }

// printable returns text from DNS without anything but printable ASCII, and not too
// long: it is shown to people.
func printable(text string) string {
	text = text[:min(len(text), maxText)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
}
