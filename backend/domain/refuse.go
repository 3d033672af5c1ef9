package domain

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// The reasons why nobody can own a name.
var (
	ErrAddress  = errors.New("is an IP address; name a domain that points to the edge")
	ErrLabel    = errors.New("is a single label; name a domain of your own, such as app.example.com")
	ErrSuffix   = errors.New("is a public suffix, under which anybody can register names; name a domain of your own below it")
	ErrReserved = errors.New("is reserved and cannot be served on the internet; name a domain of your own")
	ErrOperator = errors.New("belongs to the operator of this service; name a domain of your own")
	ErrTooLong  = fmt.Errorf("is longer than %d characters", MaxLength)
)

// reserved are top-level and other domains under which no name can be anybody's (RFC
// 6761, RFC 6762, RFC 7686, RFC 9476). The names that RFC 2606 reserves for
// documentation and tests are not among them: they are not in the public DNS, so
// nobody can prove them there.
var reserved = []string{"alt", "arpa", "invalid", "local", "localdomain", "onion"}

// Refused returns the reason why no provider can own a canonical host name, or nil.
// own are the operator's hosts: what is at or below them is the operator's. Loopback
// names are refused by nobody; see [Loopback].
func Refused(name string, own []string) error {
	if Loopback(name) {
		return nil
	}
	for _, host := range own {
		if !Loopback(host) && (name == host || strings.HasSuffix(name, "."+host)) {
			return ErrOperator
		}
	}
	switch labels := strings.Split(name, "."); {
	case isAddress(name):
		return ErrAddress
	case len(labels) < 2:
		return ErrLabel
	case len(name) > MaxLength:
		return ErrTooLong
	case slices.Contains(reserved, labels[len(labels)-1]) && !strings.HasSuffix(name, ".home.arpa"):
		return ErrReserved
	}
	if suffix, _ := publicsuffix.PublicSuffix(name); suffix == name {
		return ErrSuffix
	}
	return nil
}

// Loopback reports whether a canonical host name or address is this machine: it needs
// no proof, since no visitor from elsewhere reaches it.
func Loopback(name string) bool {
	if name == "localhost" || strings.HasSuffix(name, ".localhost") || name == "::1" {
		return true
	}
	return isAddress(name) && strings.HasPrefix(name, "127.")
}

// isAddress reports whether a canonical host is an IP address. Canonical host names
// do not end in a number and have no colon.
func isAddress(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	return strings.Contains(host, ":") || last != "" && strings.Trim(last, "0123456789") == ""
}

// Zone returns the registered domain that a name belongs to, which is the name itself
// if it is none.
func Zone(name string) string {
	zone, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return name
	}
	return zone
}
