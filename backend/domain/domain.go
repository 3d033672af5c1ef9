// Package domain holds the rules by which providers own domains: which names nobody
// can own, what a DNS record proves, and when a domain is lost. Its functions do no
// I/O; times are arguments.
//
//	        claim                     record seen
//	provider ───► pending ───────────────────────────► proven
//	                 │                                  │  ▲
//	                 │ an administrator's word          │  │ record seen again
//	                 ▼                 record missing   ▼  │
//	              vouched              for a day      suspended
//
// Several providers may claim one domain. At most one of them holds it: proven,
// vouched or local. DNS decides: a provider whose record is seen takes the domain from
// a holder whose record is not.
package domain

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
)

// State is what a claim to a domain is worth.
type State string

const (
	// Pending claims wait for their record.
	Pending State = "pending"
	// Proven claims had their record in DNS at one of the last checks.
	Proven State = "proven"
	// Suspended claims were proven, and their record left.
	Suspended State = "suspended"
	// Vouched claims have an administrator's word instead of a record.
	Vouched State = "vouched"
	// Local claims are to loopback names, which need no proof.
	Local State = "local"
)

// Usable reports whether the domain may have certificates, visitors and launch links.
func (s State) Usable() bool { return s == Proven || s == Vouched || s == Local }

// Claim is one provider's claim to a domain. Times are Unix seconds; 0 means never.
type Claim struct {
	Domain     string
	ProviderID string
	Position   int64 // in the provider's list
	State      State
	ClaimedAt  int64
	ProvenAt   int64 // when the record was last seen
	CheckedAt  int64
	Found      string // what the last check found, as text for people
	// Of the checks in a row that did not find the record: how many, and when the
	// first of them was.
	Misses       int64
	MissingSince int64
	DueAt        int64 // the next check
}

// TXTPrefix is the label of the TXT record that proves a domain.
const TXTPrefix = "_sessiongate"

// MaxLength is the most characters of a domain, so that its TXT record has a name.
const MaxLength = 253 - len(TXTPrefix) - 1

var tokenText = base32.StdEncoding.WithPadding(base32.NoPadding)

// Token returns the token by which a provider proves a domain: 128 bits, as a DNS
// label of 26 characters. The same provider, domain and secret have the same token, so
// that a domain that is removed and added again keeps its record.
func Token(secret []byte, providerID, domain string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("domain\x00" + providerID + "\x00" + domain))
	return strings.ToLower(tokenText.EncodeToString(mac.Sum(nil)[:16]))
}

// Answer is what DNS says of a domain.
type Answer struct {
	// The names that the domain is an alias of (CNAME), in the order of the chain, in
	// lower case without a trailing dot.
	Aliases []string
	// The texts at _sessiongate and the domain.
	Texts []string
	// A lookup failed, so what is missing here may exist.
	Incomplete bool
	// What was found, as text for people.
	Found string
}

// Proves reports whether the answer holds the record of a token: an alias of the token
// below one of the edges' names, or a text.
func (a Answer) Proves(token string, edges []string) bool {
	for _, alias := range a.Aliases {
		label, parent, _ := strings.Cut(alias, ".")
		if label == token && slices.Contains(edges, parent) {
			return true
		}
	}
	for _, text := range a.Texts {
		if strings.EqualFold(strings.Trim(text, "\" \t"), token) {
			return true
		}
	}
	return false
}
