package service

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/sessiongate/sessiongate/backend/store"
)

// httpURL parses an http or https URL that has a host and no user name. The host
// must be one that can exist, and the port one that can be called.
func httpURL(raw string) (u *url.URL, ok bool) {
	u, err := url.Parse(raw)
	ok = err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.User == nil && goodHost(u.Hostname(), u.Port())
	return u, ok
}

// isPage reports whether raw can be the address of a page: an http or https URL. Its
// fragment may be a route of the page's.
func isPage(raw string) bool {
	_, ok := httpURL(raw)
	return ok
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

// returnsToApp reports whether a return address is at the provider's own app: the
// gate refuses the user there and would redirect to the same address, again and again.
// A domain stands for the default ports, unless app_url has it with another.
func returnsToApp(raw string, p store.Provider) bool {
	back, ok := authorityOf(raw)
	if !ok {
		return false
	}
	app, ok := authorityOf(AppURL(p))
	if ok && app == back {
		return true
	}
	host, port, _ := strings.Cut(back, " ")
	own, ownPort, _ := strings.Cut(app, " ")
	if host == own {
		return isDefaultPort(port) && isDefaultPort(ownPort) // http leads to https
	}
	return isDefaultPort(port) && slices.Contains(p.Domains, host)
}

func isDefaultPort(port string) bool { return port == "443" || port == "80" }

// authorityOf is the canonical host and the port of a URL, with a space between them.
func authorityOf(raw string) (string, bool) {
	u, ok := httpURL(raw)
	if !ok {
		return "", false
	}
	host, err := normalizeDomain(u.Hostname())
	if err != nil {
		return "", false
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return host + " " + port, true
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
