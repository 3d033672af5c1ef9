package session

import (
	"math/bits"
	"slices"
)

// Policy says how a launched session is settled when it completes or expires.
type Policy string

// The settlement policies of a provider.
const (
	// Full captures all tokens, however early the user leaves.
	Full Policy = "full"
	// Prorated captures the share of the seconds that have started, rounded up to
	// whole tokens, and releases the rest.
	Prorated Policy = "prorated"
)

// Refund says which tokens a revocation releases.
type Refund string

// The refund choices of [Revoke].
const (
	RefundFull     Refund = "full"     // all tokens
	RefundProrated Refund = "prorated" // the unused share
	RefundNone     Refund = "none"     // no tokens
)

// Settlement is the division of a hold. Captured plus Released is the amount held.
type Settlement struct {
	Captured int64
	Released int64
	// Paid seconds that had started, without pauses.
	UsedSeconds int64
}

// Purchase is the sale or an extension. Each has its own price, and its own place in the
// order in which seconds are used: those of the sale first.
type Purchase struct {
	By      Actor `json:"by"`
	Seconds int64 `json:"seconds"`
	Tokens  int64 `json:"tokens"`
	// Unix seconds.
	At int64 `json:"at"`
	// How many equal extensions in a row this is, if more than one; see
	// [MaxSinglePurchases]. Seconds and Tokens are their sums.
	Count int64 `json:"count,omitempty"`

	// How the purchase was settled; all 0 before. Captured plus Released is Tokens.
	UsedSeconds int64 `json:"used,omitempty"`
	Captured    int64 `json:"captured,omitempty"`
	Released    int64 `json:"released,omitempty"`
}

// Limits of a session's purchases, so that its record has a bound.
const (
	// MaxSinglePurchases is how many purchases are kept one by one. Beyond, equal
	// extensions in a row are kept as one, which is settled to the same tokens.
	MaxSinglePurchases = 100
	// MaxPurchases is the most purchases of a session, equal ones in a row counted
	// once.
	MaxPurchases = 1000
)

// times returns how many purchases p stands for.
func (p Purchase) times() int64 { return max(1, p.Count) }

// sameAs reports whether p is what x buys, once or more.
func (p Purchase) sameAs(x Purchase) bool {
	n, m := p.times(), x.times()
	return p.By == x.By && p.Seconds/n == x.Seconds/m && p.Tokens/n == x.Tokens/m
}

// AddPurchase returns list and a further purchase. It returns [ErrPurchases] if there are
// too many already. It does not change list.
func AddPurchase(list []Purchase, p Purchase) ([]Purchase, error) {
	n := len(list)
	if n >= MaxSinglePurchases && list[n-1].sameAs(p) {
		list = slices.Clone(list)
		last := &list[n-1]
		last.Count = last.times() + p.times()
		last.Seconds += p.Seconds
		last.Tokens += p.Tokens
		return list, nil
	}
	if n >= MaxPurchases {
		return list, ErrPurchases
	}
	return append(slices.Clip(list), p), nil
}

// Bought reports whether list accounts for all that s has.
func (s *Session) Bought(list []Purchase) bool {
	var seconds, tokens int64
	for _, p := range list {
		seconds += p.Seconds
		tokens += p.Tokens
	}
	return len(list) > 0 && seconds == s.Duration && tokens == s.Tokens
}

// Restore sets the purchases of a session that was stored without them: the sale is what
// the extensions leave. If s is over, its settlement is divided among the purchases, the
// earliest first.
func (s *Session) Restore(extensions []Purchase) {
	sale := Purchase{By: Marketplace, Seconds: s.Duration, Tokens: s.Tokens, At: s.CreatedAt}
	for _, p := range extensions {
		sale.Seconds -= p.Seconds
		sale.Tokens -= p.Tokens
	}
	s.Purchases = []Purchase{sale}
	for _, p := range extensions {
		list, err := AddPurchase(s.Purchases, p)
		if err != nil { // more than are kept: the rest counts as one
			last := &list[len(list)-1]
			last.Seconds += p.Seconds
			last.Tokens += p.Tokens
		}
		s.Purchases = list
	}
	if s.Settlement == nil {
		return
	}
	used, captured := s.Settlement.UsedSeconds, s.Settlement.Captured
	for i := range s.Purchases {
		p := &s.Purchases[i]
		p.UsedSeconds, p.Captured = min(used, p.Seconds), min(captured, p.Tokens)
		p.Released = p.Tokens - p.Captured
		used -= p.UsedSeconds
		captured -= p.Captured
	}
}

// settle settles each purchase of s by itself and returns the sum. used paid seconds
// have started; they are those of the earliest purchases. A captured share is rounded up
// to whole tokens.
func (s *Session) settle(r Refund, used int64) Settlement {
	if !s.Bought(s.Purchases) {
		s.Restore(nil)
	}
	sum := Settlement{UsedSeconds: max(0, min(used, s.Duration))}
	list := slices.Clone(s.Purchases)
	left := sum.UsedSeconds
	for i := range list {
		p := &list[i]
		p.UsedSeconds = min(left, p.Seconds)
		left -= p.UsedSeconds
		switch r {
		case RefundFull:
			p.Captured = 0
		case RefundProrated:
			p.Captured = ceilDiv(p.Tokens, p.UsedSeconds, p.Seconds)
		default:
			p.Captured = p.Tokens
		}
		p.Released = p.Tokens - p.Captured
		sum.Captured += p.Captured
		sum.Released += p.Released
	}
	s.Purchases = list
	return sum
}

// refund returns what a policy releases of a session that completes.
func (p Policy) refund() Refund {
	if p == Prorated {
		return RefundProrated
	}
	return RefundNone
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
