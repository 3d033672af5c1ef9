package service

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

func httpURL(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}

var errHost = errors.New("not a host name")

// normalizeDomain is a host's one spelling: lower case, ASCII (IDNA), without
// port or final dot. IP addresses are hosts too.
func normalizeDomain(raw string) (string, error) {
	host := strings.TrimSpace(raw)
	if h, port, err := net.SplitHostPort(host); err == nil && port != "" {
		host = h
	}
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String(), nil
	}
	ascii, err := idna.Lookup.ToASCII(strings.ToLower(host))
	if err != nil || ascii == "" || len(ascii) > 253 || strings.ContainsAny(ascii, "/:@?# %\\") {
		return "", errHost
	}
	return ascii, nil
}

func normalizeHostPort(raw string) (string, error) {
	u, err := url.Parse("x://" + strings.TrimSpace(raw))
	if err != nil || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", errHost
	}
	host, err := normalizeDomain(u.Hostname())
	if err != nil {
		return "", err
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if u.Port() == "" {
		return host, nil
	}
	if n, err := strconv.Atoi(u.Port()); err != nil || n < 1 || n > 65535 {
		return "", errHost
	}
	return host + ":" + u.Port(), nil
}

// returnAllowed reports whether raw is an http or https URL at one of hosts,
// which name a port where it is not the scheme's own.
func returnAllowed(raw string, hosts []string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Hostname() == "" {
		return false
	}
	port, known := map[string]string{"https": "443", "http": "80"}[u.Scheme]
	if !known {
		return false
	}
	own := u.Port() == "" || u.Port() == port
	if u.Port() != "" {
		port = u.Port()
	}
	bare, err := normalizeHostPort(strings.TrimSuffix(u.Host, ":"+u.Port()))
	if err != nil {
		return false
	}
	return slices.Contains(hosts, bare+":"+port) || (own && slices.Contains(hosts, bare))
}

// IsHTTP reports whether raw begins as an http or https URL does.
func IsHTTP(raw string) bool {
	return strings.HasPrefix(raw, "https://") || strings.HasPrefix(raw, "http://")
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
