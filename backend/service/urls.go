package service

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// httpURL parses an http or https URL that has a host and no user name. The host
// must be one that can exist, and the port one that can be called.
func httpURL(raw string) (u *url.URL, ok bool) {
	u, err := url.Parse(raw)
	ok = err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.User == nil && goodHost(u.Hostname(), u.Port())
	return u, ok
}

// isPage reports whether raw can be the address of a page: an http or https URL
// without a fragment.
func isPage(raw string) bool {
	u, ok := httpURL(raw)
	return ok && u.Fragment == ""
}

// isOrigin reports whether raw is the URL of a server alone: no path, no query
// and no fragment.
func isOrigin(raw string) bool {
	u, ok := httpURL(raw)
	return ok && u.RawQuery == "" && u.Fragment == "" && (u.Path == "" || u.Path == "/")
}

// IsIssuer reports whether raw can be this service's address in tokens and
// links: an http or https URL without a query or fragment. It may have a path.
func IsIssuer(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && u.Fragment == ""
}

// isProviderIssuer reports whether raw can be an identity provider's issuer: an
// https URL, or an http URL at a loopback host.
func isProviderIssuer(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Host != "" && (u.Scheme == "https" || (u.Scheme == "http" && loopback(u.Hostname())))
}

// returnAllowed reports whether raw is an http or https URL whose host is in
// hosts. A host without a port matches the scheme's default port.
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
	name, err := canonicalHost(u.Hostname(), false)
	if err != nil {
		return false
	}
	bare := hostPort{host: name}.String()
	return slices.Contains(hosts, bare+":"+port) || (own && slices.Contains(hosts, bare))
}

// IsHTTP reports whether raw begins as an http or https URL does.
func IsHTTP(raw string) bool {
	return strings.HasPrefix(raw, "https://") || strings.HasPrefix(raw, "http://")
}

// loopback reports whether host is this machine.
func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
