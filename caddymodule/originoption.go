package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
	"golang.org/x/net/http/httpguts"
)

// registeredOrigins is the word for the origins that providers have registered.
const registeredOrigins = "registered"

// Origin is the option origin: the gate forwards the requests that it lets pass to this
// server, and is the last handler of its site.
type Origin struct {
	// The server's address, such as http://127.0.0.1:3000; or registered: each request
	// goes to the origin that the provider of its host has registered at the backend.
	To string `json:"to"`
	// Time limits for a connection with its TLS handshake (default: 3s), for the head of a
	// response (default: none), and for a kept connection without a request (default: 2m).
	DialTimeout caddy.Duration `json:"dial_timeout,omitempty"`
	HeadTimeout caddy.Duration `json:"head_timeout,omitempty"`
	IdleTimeout caddy.Duration `json:"idle_timeout,omitempty"`
	// Connections that are kept for the next requests (default: 128), and connections at
	// once, after which requests are refused with 503 (default: no limit). With
	// registered, they hold for each provider.
	IdleConnections int `json:"idle_connections,omitempty"`
	MaxConnections  int `json:"max_connections,omitempty"`
	// Size of the head of a response in bytes. Default: 1 MiB.
	MaxHead int `json:"max_head,omitempty"`
	// Files with the certificates of authorities that sign the server's certificate, in
	// the place of the system's.
	CA []string `json:"ca,omitempty"`
	// Files of a client certificate and its key. Default: if the server asks for a
	// certificate, that of the provider, as docs/origin-lock.md describes.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`
	// Name in the server's certificate. Default: the host of the address.
	ServerName string `json:"server_name,omitempty"`
	// Host header of the requests. Default: the public host for http, that of the address
	// for https.
	Host string `json:"host,omitempty"`
	// Headers set on each request; placeholders are replaced. An empty value removes one.
	Headers []OriginHeader `json:"headers,omitempty"`
	// With registered: take origins at private, loopback and link-local addresses.
	AllowPrivate bool `json:"allow_private,omitempty"`
}

// OriginHeader is a header that the origin receives.
type OriginHeader struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// originOptions are the options of the block.
var originOptions = []string{"dial_timeout", "head_timeout", "idle_timeout", "idle_connections", "max_connections", "max_head",
	"ca", "certificate", "server_name", "host", "header", "allow_private"}

// unmarshal reads the option from a Caddyfile. Syntax:
//
//	origin <url> | registered {
//		dial_timeout     <duration>
//		head_timeout     <duration>
//		idle_timeout     <duration>
//		idle_connections <number>
//		max_connections  <number>
//		max_head         <size>
//		ca               <file>...
//		certificate      <file> <key file>
//		server_name      <name>
//		host             <host>
//		header           <name> [<value>]
//		allow_private
//	}
func (o *Origin) unmarshal(d *caddyfile.Dispenser) error {
	if err := valueArg(d, &o.To); err != nil {
		return err
	}
	var seen seenOptions
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "header" {
			if err := seen.add(d); err != nil {
				return err
			}
		}
		if err := o.option(d); err != nil {
			return err
		}
	}
	if !strings.Contains(o.To, "{") {
		if err := o.check(); err != nil {
			return d.Err(err.Error())
		}
	}
	return nil
}

func (o *Origin) option(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "dial_timeout":
		return durationArg(d, &o.DialTimeout)
	case "head_timeout":
		return durationArg(d, &o.HeadTimeout)
	case "idle_timeout":
		return durationArg(d, &o.IdleTimeout)
	case "idle_connections":
		return numberArg(d, &o.IdleConnections)
	case "max_connections":
		return numberArg(d, &o.MaxConnections)
	case "max_head":
		return sizeArg(d, &o.MaxHead)
	case "ca":
		if o.CA = d.RemainingArgs(); len(o.CA) == 0 {
			return d.ArgErr()
		}
	case "certificate":
		args := d.RemainingArgs()
		if len(args) != 2 {
			return d.Err("certificate takes two files: the certificate and its key")
		}
		o.Certificate, o.Key = args[0], args[1]
	case "server_name":
		return valueArg(d, &o.ServerName)
	case "host":
		return valueArg(d, &o.Host)
	case "header":
		args := d.RemainingArgs()
		if len(args) == 1 {
			args = append(args, "")
		}
		if len(args) != 2 {
			return d.Err("header takes a name and a value, or a name alone to remove the header; write a value with spaces in quotes")
		}
		o.Headers = append(o.Headers, OriginHeader{args[0], args[1]})
	case "allow_private":
		if d.NextArg() {
			return d.ArgErr()
		}
		o.AllowPrivate = true
	default:
		return d.Errf("unknown option %q of origin; options are %s", d.Val(), inWords(originOptions))
	}
	return nil
}

// sizeArg reads an option's only argument, a size such as 64KiB.
func sizeArg(d *caddyfile.Dispenser, to *int) error {
	option := d.Val()
	var word string
	if err := valueArg(d, &word); err != nil {
		return err
	}
	n, err := humanize.ParseBytes(word)
	if err != nil || n < 1<<10 || n > 1<<26 {
		return d.Errf("%s is %q; it must be a size between 1KiB and 64MiB, such as 256KiB", option, word)
	}
	*to = int(n)
	return nil
}

// check returns an error if the option cannot be used.
func (o *Origin) check() error {
	if o.To == registeredOrigins {
		switch {
		case o.Certificate != "":
			return errOwnCertificateOrigin
		case o.ServerName != "" || o.Host != "":
			return errors.New("origin registered takes no server_name and no host: each provider's origin has its own")
		}
	} else {
		if _, err := parseOrigin(o.To); err != nil {
			return err
		}
		if o.AllowPrivate {
			return errors.New("allow_private is an option of origin registered; the address of another origin is the operator's and may be private")
		}
	}
	for _, h := range o.Headers {
		name := http.CanonicalHeaderKey(h.Name)
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			return fmt.Errorf("origin: %q is no name of a header", h.Name)
		case isProtected(name):
			return fmt.Errorf("origin: header cannot set %s, which belongs to the connection; for Host, write host", name)
		case forgesHeader(name):
			return fmt.Errorf("origin: header cannot set %s, which the gate sets", name)
		}
	}
	return nil
}

// isProtected reports whether a header concerns the framing or the connection.
func isProtected(name string) bool {
	switch name {
	case "Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Te", "Trailer", "Via":
		return true
	}
	return false
}

var errOwnCertificateOrigin = errors.New("origin registered takes no certificate: it would present one certificate to the origins of all providers, " +
	"so that a provider who registers another provider's origin has access to it; remove certificate: " +
	"the edge presents a certificate of each provider's own, as docs/origin-lock.md describes")

// parseOrigin reads the address of a server.
func parseOrigin(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		hint := ""
		if err == nil && u.Path != "" && strings.Trim(u.Path, "/") != "" && u.Host != "" {
			hint = "; to change paths, use Caddy's directive rewrite or uri"
		}
		return nil, fmt.Errorf("origin is %q; it must be the address of the app's server, such as http://127.0.0.1:3000, or registered%s", raw, hint)
	}
	return u, nil
}
