package protocol

import "testing"

// No two users of any marketplaces have the same subject, and a subject leads back to its
// user: also for ids that look like another's subject.
func TestSubjectsNameOnePerson(t *testing.T) {
	t.Parallel()
	marketplaces := []string{DefaultMarketplace, "mkt_x", "mkt_x_", "mkt_xu", "mkt_0"}
	users := []string{"u", "user_1", "mkt_x", "mkt_x:user_1", "mkt_x.user_1", "mkt_x|u", "mkt_default", ".", "..", "a@b", "_u"}
	seen := map[string]string{}
	for _, m := range marketplaces {
		for _, u := range users {
			if !IsUserID(u) {
				t.Fatalf("%s is no user id", u)
			}
			subject := Subject(m, u)
			if other, twice := seen[subject]; twice {
				t.Errorf("%s is %s at %s, and %s", subject, u, m, other)
			}
			seen[subject] = u + " at " + m
			if marketplace, user := SplitSubject(subject); marketplace != m || user != u {
				t.Errorf("%s splits into %s and %s", subject, marketplace, user)
			}
		}
	}
	for _, bad := range []string{"", "mkt_x~user_1", "~", "a~b~c"} {
		if IsUserID(bad) {
			t.Errorf("%q is a user id", bad)
		}
	}
	if Subject("", "u") != "u" || MarketplaceOf("u") != DefaultMarketplace {
		t.Error("no marketplace is not the default one")
	}
}
