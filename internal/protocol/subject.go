package protocol

import "strings"

// DefaultMarketplace is the marketplace that owns everything from before there were
// several, and every key that names no other.
const DefaultMarketplace = "mkt_default"

// subjectMark stands between a marketplace and its user in a subject. No user id
// contains it.
const subjectMark = "~"

// Subject names a user of a marketplace to everybody else: to the app, in tokens, in a
// provider's lists and webhooks, and in the ledger. User ids are the marketplaces' own,
// so "user_1" is another person at each of them; no two persons have the same subject.
// A user of [DefaultMarketplace] has its id as its subject.
func Subject(marketplace, user string) string {
	if marketplace == DefaultMarketplace || marketplace == "" {
		return user
	}
	return marketplace + subjectMark + user
}

// SplitSubject is the inverse of [Subject].
func SplitSubject(subject string) (marketplace, user string) {
	if marketplace, user, ok := strings.Cut(subject, subjectMark); ok {
		return marketplace, user
	}
	return DefaultMarketplace, subject
}

// MarketplaceOf returns the tenant of a subject: a marketplace, its [TestTenant], or
// [PassTenant].
func MarketplaceOf(subject string) string {
	marketplace, _ := SplitSubject(subject)
	return marketplace
}

// IsUserID reports whether a marketplace can have a user with this id: subjects of other
// marketplaces are none.
func IsUserID(user string) bool { return user != "" && !strings.Contains(user, subjectMark) }

// testSuffix ends the tenant of a marketplace's test keys. No marketplace's id contains
// it.
const testSuffix = ".test"

// PassTenant is the tenant of the users whom passes let in. No marketplace has this id.
const PassTenant = "pass"

// TestTenant returns the tenant of a marketplace's test keys. It has users, balances,
// sessions and ledger accounts of its own, as another marketplace would: no query can
// confuse the two, and each of their ledgers sums to zero.
func TestTenant(marketplace string) string {
	if marketplace == "" {
		marketplace = DefaultMarketplace
	}
	return marketplace + testSuffix
}

// SplitTenant returns the marketplace that a tenant belongs to, and whether it is that of
// its test keys. The marketplace of [PassTenant] is empty.
func SplitTenant(tenant string) (marketplace string, test bool) {
	if tenant == PassTenant {
		return "", false
	}
	return strings.CutSuffix(tenant, testSuffix)
}
