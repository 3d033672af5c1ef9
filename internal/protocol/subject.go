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

// MarketplaceOf returns the marketplace of a subject.
func MarketplaceOf(subject string) string {
	marketplace, _ := SplitSubject(subject)
	return marketplace
}

// IsUserID reports whether a marketplace can have a user with this id: subjects of other
// marketplaces are none.
func IsUserID(user string) bool { return user != "" && !strings.Contains(user, subjectMark) }
