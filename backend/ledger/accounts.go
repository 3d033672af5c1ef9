package ledger

import (
	"strings"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// Account names one side of a transfer. Users are named by their subjects, and every
// account belongs to one marketplace: tokens of one never become tokens of another.
type Account string

// The beginnings of the accounts' names.
const (
	issuePrefix    = "issue"
	userPrefix     = "user:"
	providerPrefix = "provider:"
)

// Issue is the account that the tokens of a user's marketplace come from. Its balance is
// the negative sum of the marketplace's other accounts.
func Issue(subject string) Account {
	if m := protocol.MarketplaceOf(subject); m != protocol.DefaultMarketplace {
		return Account(issuePrefix + ":" + m)
	}
	return issuePrefix
}

// Available is the account of the tokens that a user may spend.
func Available(subject string) Account { return Account(userPrefix + subject + ":available") }

// Held is the account of the tokens held for a user's open sessions.
func Held(subject string) Account { return Account(userPrefix + subject + ":held") }

// Provider is the account of the tokens that a provider has earned at the marketplace of
// a user.
func Provider(providerID, subject string) Account {
	return Account(providerPrefix + protocol.Subject(protocol.MarketplaceOf(subject), providerID))
}

// IsIssue reports whether a is an account that tokens come from, which alone may be
// negative.
func (a Account) IsIssue() bool {
	return a == issuePrefix || strings.HasPrefix(string(a), issuePrefix+":")
}

// Marketplace returns the marketplace of an account.
func (a Account) Marketplace() string {
	name := string(a)
	if m, ok := strings.CutPrefix(name, issuePrefix+":"); ok {
		return m
	}
	_, name, _ = strings.Cut(name, ":")
	return protocol.MarketplaceOf(name)
}
