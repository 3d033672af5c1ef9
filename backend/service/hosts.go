package service

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// The reasons why text is not a host. Each completes "domains[0] is not a host name: ".
var (
	errHostEmpty      = errors.New("it is empty")
	errHostSeveral    = errors.New("write one name without spaces or commas")
	errHostScheme     = errors.New("only http:// and https:// addresses name a host")
	errHostSlashes    = errors.New("write the host's name, or its address with both slashes, such as https://app.example.com/")
	errHostMail       = errors.New("it is an e-mail address or has a user name")
	errHostChars      = errors.New("a host name has letters, digits, hyphens and dots")
	errHostUnderscore = errors.New("it has an underscore, and no certificate can be issued for such a name")
	errHostWildcard   = errors.New("wildcards are not supported; write each name")
	errHostLabel      = errors.New("each part between dots has 1 to 63 characters and neither begins nor ends with a hyphen")
	errHostLength     = errors.New("it is longer than 253 characters")
	errHostNumber     = errors.New("it ends in a number and is not an IP address")
	errHostZone       = errors.New("an IPv6 address must not name an interface")
	errHostPort       = errors.New("a port is a number from 1 to 65535")
)

// hostPort is a host in canonical form and its port, if one was written.
type hostPort struct {
	host string
	port string // empty if none was written
}

func (h hostPort) String() string {
	host := h.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if h.port == "" {
		return host
	}
	return host + ":" + h.port
}

// parseDomain returns the host in pasted text, which is a host name, an IP address, or
// the http or https URL of a page. The port, path, query and fragment are left out.
func parseDomain(pasted string) (string, error) {
	h, err := parsePasted(pasted)
	return h.host, err
}

// parseHostPort returns the host in pasted text and its port, if one is written. See
// [parseDomain].
func parseHostPort(pasted string) (string, error) {
	h, err := parsePasted(pasted)
	if err != nil {
		return "", err
	}
	return h.String(), nil
}

// normalizeDomain returns the canonical form of a host: lower case, ASCII (IDNA),
// without a port or a trailing dot. Unlike [parseDomain] it takes no URL.
func normalizeDomain(host string) (string, error) {
	h, err := splitHostPort(strings.TrimSpace(host))
	return h.host, err
}

func parsePasted(pasted string) (hostPort, error) {
	text := strings.TrimFunc(pasted, func(r rune) bool { return unicode.IsSpace(r) || r == '\uFEFF' || r == '\u200B' })
	if text == "" {
		return hostPort{}, errHostEmpty
	}
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == ',' || r == ';' }) {
		return hostPort{}, errHostSeveral
	}
	if scheme, rest, ok := strings.Cut(text, "://"); ok && !strings.ContainsAny(scheme, "/?#@") {
		if scheme = strings.ToLower(scheme); scheme != "http" && scheme != "https" {
			return hostPort{}, errHostScheme
		}
		text = rest
	} else {
		text = strings.TrimPrefix(text, "//")
	}
	if i := strings.IndexAny(text, "/?#"); i >= 0 {
		text = text[:i]
	}
	h, err := splitHostPort(text)
	if err == nil && (h.host == "http" || h.host == "https") { // text such as https:/app.example.com or https:
		return hostPort{}, errHostSlashes
	}
	return h, err
}

// splitHostPort parses host, host:port, an IPv6 address or [address]:port.
func splitHostPort(text string) (hostPort, error) {
	if strings.Contains(text, "@") {
		return hostPort{}, errHostMail
	}
	host, port, hasPort := text, "", false
	switch {
	case strings.HasPrefix(text, "["):
		var after string
		var closed bool
		if host, after, closed = strings.Cut(text[1:], "]"); !closed {
			return hostPort{}, errHostChars
		}
		if port, hasPort = strings.CutPrefix(after, ":"); !hasPort && after != "" {
			return hostPort{}, errHostChars
		}
		if !strings.Contains(host, ":") { // only IPv6 addresses have brackets
			return hostPort{}, errHostChars
		}
	case strings.Count(text, ":") == 1:
		host, port, hasPort = strings.Cut(text, ":")
	}
	if hasPort && port != "" {
		if strings.ContainsFunc(port, func(r rune) bool { return r < '0' || r > '9' }) {
			if net, _, _ := strings.Cut(port, "."); net != port || len(port) > 5 { // the text is scheme:text, not host:port
				return hostPort{}, errHostScheme
			}
			return hostPort{}, errHostPort
		}
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			return hostPort{}, errHostPort
		}
		port = strconv.Itoa(n)
	}
	canonical, err := canonicalHost(host, false)
	return hostPort{canonical, port}, err
}

// canonicalHost returns the canonical form of a host name or IP address without a
// port. Names inside a private network may have underscores.
func canonicalHost(host string, underscores bool) (string, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Zone() != "" {
			return "", errHostZone
		}
		return ip.Unmap().String(), nil
	}
	if strings.Contains(host, "*") {
		return "", errHostWildcard
	}
	checked := host
	if underscores {
		checked = strings.ReplaceAll(host, "_", "x") // a letter, so that the length is the same
	} else if strings.Contains(host, "_") {
		return "", errHostUnderscore
	}
	ascii, err := idna.Lookup.ToASCII(strings.ToLower(checked))
	if err != nil {
		if strings.HasPrefix(host, "-") || strings.HasSuffix(host, "-") || strings.Contains(host, "-.") || strings.Contains(host, ".-") {
			return "", errHostLabel
		}
		return "", errHostChars
	}
	ascii = strings.TrimSuffix(ascii, ".")
	if ascii == "" {
		return "", errHostEmpty
	}
	if len(ascii) > 253 {
		return "", errHostLength
	}
	labels := strings.Split(ascii, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 {
			return "", errHostLabel
		}
		if strings.ContainsFunc(label, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-') }) {
			return "", errHostChars
		}
	}
	if endsInNumber(labels[len(labels)-1]) {
		// After mapping, because browsers treat full-width digits as digits.
		if ip, err := netip.ParseAddr(ascii); err == nil {
			return ip.String(), nil
		}
		return "", errHostNumber
	}
	if underscores {
		return strings.TrimSuffix(strings.ToLower(host), "."), nil
	}
	return ascii, nil
}

// endsInNumber reports whether browsers read a host with this last label as an
// IPv4 address (WHATWG URL, "ends in a number").
func endsInNumber(last string) bool {
	hex, isHex := strings.CutPrefix(last, "0x")
	digits := "0123456789"
	if isHex {
		last, digits = hex, "0123456789abcdef"
	}
	return strings.Trim(last, digits) == ""
}

// goodHost reports whether host can be the host of a URL that this service calls or
// redirects people to.
func goodHost(host, port string) bool {
	if _, err := canonicalHost(host, true); err != nil {
		return false
	}
	if port == "" {
		return true
	}
	n, err := strconv.Atoi(port)
	return err == nil && n >= 1 && n <= 65535
}

// notHost returns the refusal of a field that is not a host.
func notHost(field string, err error) *Refusal {
	return &Refusal{Code: protocol.InvalidRequest, Detail: fmt.Sprintf("%s is not a host name: %v.", field, err), Cause: err}
}
