package domain

import "time"

const (
	// A proven domain is suspended once its record was missing for this long, in this
	// many checks in a row. Lookups that fail decide nothing.
	SuspendAfter  = 24 * time.Hour
	SuspendMisses = 6

	provenEvery  = time.Hour
	missingEvery = 30 * time.Minute
	failedAgain  = 10 * time.Minute
)

// Settle returns the claims to one domain after a check. proves reports whether the
// record of a claim was seen.
//
// A claim whose record was seen becomes proven, unless another provider holds the
// domain and its record was seen, too. A holder whose record was not seen gives way: a
// proven one is suspended, a vouched one becomes pending. If several records were seen
// and nobody holds the domain, the earliest claim takes it. An incomplete answer takes
// a domain from nobody.
func Settle(claims []Claim, proves func(Claim) bool, a Answer, now time.Time) []Claim {
	holder, winner := -1, -1
	for i, c := range claims {
		if c.State.Usable() {
			holder = i
		}
		if proves(c) && c.State != Local && (winner < 0 || c.ClaimedAt < claims[winner].ClaimedAt) {
			winner = i
		}
	}
	if holder >= 0 && (claims[holder].State == Local || a.Incomplete || proves(claims[holder])) {
		winner = holder
	}
	out := make([]Claim, len(claims))
	for i, c := range claims {
		seen := proves(c)
		c.CheckedAt, c.Found = now.Unix(), a.Found
		switch {
		case seen:
			c.ProvenAt, c.Misses, c.MissingSince = now.Unix(), 0, 0
		case !a.Incomplete:
			if c.Misses++; c.MissingSince == 0 {
				c.MissingSince = now.Unix()
			}
		}
		switch {
		case i == winner && seen && c.State != Vouched && c.State != Local:
			c.State = Proven
		case i == holder && winner >= 0 && i != winner:
			if c.State == Proven {
				c.State = Suspended
			} else {
				c.State = Pending
			}
		case c.State == Proven && !seen && c.Misses >= SuspendMisses && now.Sub(time.Unix(c.MissingSince, 0)) >= SuspendAfter:
			c.State = Suspended
		}
		c.DueAt = nextCheck(c, a.Incomplete && !seen, now)
		out[i] = c
	}
	return out
}

// nextCheck returns when DNS is asked again, or 0 for when somebody asks for it.
// Somebody who has just claimed a domain waits for it; a record that is missing for
// months will hardly come.
func nextCheck(c Claim, failed bool, now time.Time) int64 {
	since := c.ClaimedAt
	switch c.State {
	case Proven:
		every := provenEvery
		if failed {
			every = failedAgain
		} else if c.Misses > 0 {
			every = missingEvery
		}
		return now.Add(every).Unix()
	case Suspended:
		since = max(c.ClaimedAt, c.MissingSince)
	case Vouched, Local:
		return 0
	}
	var every time.Duration
	switch age := now.Sub(time.Unix(since, 0)); {
	case age < time.Hour:
		every = time.Minute
	case age < 24*time.Hour:
		every = 10 * time.Minute
	case age < 7*24*time.Hour:
		every = time.Hour
	case age < 90*24*time.Hour:
		every = 24 * time.Hour
	default:
		return 0
	}
	return now.Add(every).Unix()
}

// FirstCheck returns when DNS is first asked of a new claim.
func FirstCheck(s State, now time.Time) int64 {
	return nextCheck(Claim{State: s, ClaimedAt: now.Unix()}, false, now)
}
