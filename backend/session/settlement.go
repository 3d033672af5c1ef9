package session

import "math/bits"

// Policy is how a session that was entered is settled when it completes or
// expires.
type Policy string

// The settlement policies of a provider.
const (
	// Full: every allocated token is captured, however early the user leaves.
	Full Policy = "full"
	// Prorated: tokens are captured per started second, rounded up; the rest is
	// released.
	Prorated Policy = "prorated"
)

// Refund is what a revocation gives back.
type Refund string

// The refund choices of [Revoke].
const (
	RefundFull     Refund = "full"     // everything
	RefundProrated Refund = "prorated" // what was not used
	RefundNone     Refund = "none"     // nothing
)

// Settlement is how a hold ended. Captured + Released is all that was held.
type Settlement struct {
	Captured int64
	Released int64
	// Paid seconds that had started, pauses left out.
	UsedSeconds int64
}

// settle divides tokens of a session of which used of duration seconds have
// started. A part of a token counts as one.
func settle(p Policy, tokens, used, duration int64) Settlement {
	used = max(0, min(used, duration))
	captured := tokens
	if p == Prorated {
		captured = ceilDiv(tokens, used, duration)
	}
	return Settlement{Captured: captured, Released: tokens - captured, UsedSeconds: used}
}

// ceilDiv is ⌈a·b / c⌉ for a ≥ 0 and 0 ≤ b ≤ c, c > 0, without overflow: the
// product needs up to 128 bits, the quotient is at most a.
func ceilDiv(a, b, c int64) int64 {
	if b >= c {
		return a
	}
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	q, rem := bits.Div64(hi, lo, uint64(c))
	if rem > 0 {
		q++
	}
	return int64(q)
}
