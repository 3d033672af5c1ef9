package live

import (
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// Record is a session's state as the edge keeps it, which may be for a million
// sessions: a [protocol.LiveState] that shares what sessions have in common, and
// holds what the origin is told in the form in which it is told. Immutable.
type Record struct {
	// Id, user, provider and end, each the one value of its identity header.
	Headers [4]string
	terms   *terms

	version                        int64
	expiresAt, startedAt, pausedAt int64
	duration, tokens               int64
	// Of the terms' offers.
	extensions, pauses uint16
	relaunches         uint16
	status             statusIndex
}

// Mode returns what the session is for. It is empty in the state of a live session.
func (r *Record) Mode() protocol.Mode {
	if r.terms.mode == "" {
		return protocol.LiveMode
	}
	return r.terms.mode
}

// Version returns the version of the state, which each change increases.
func (r *Record) Version() int64 { return r.version }

// Relaunches returns how many new links the session was given. Tokens made before the last
// one are void.
func (r *Record) Relaunches() uint16 { return r.relaunches }

// Places in record.headers.
const (
	HeaderID = iota
	HeaderUser
	HeaderProvider
	HeaderExpires
)

// terms is what the sessions of one sale or one provider usually share.
type terms struct {
	returnURL  string
	warnings   []int64
	settlement protocol.SettlementPolicy
	mode       protocol.Mode
	standstill string
	extension  *protocol.Extension
	pause      *protocol.PauseRight
	// The user's id where it may not stand in a header as it is; else empty.
	rawUser string
}

// statusIndex is a place in statuses.
type statusIndex uint8

var statuses = [...]protocol.Status{
	protocol.Active, protocol.Pending, protocol.Paused, protocol.Completed, protocol.Expired, protocol.Revoked, protocol.Canceled,
}

func (s statusIndex) status() protocol.Status { return statuses[s] }

// indexOf takes a status that is none of ours, from a backend of another
// version, for an end.
func indexOf(status protocol.Status) statusIndex {
	for i, known := range statuses {
		if known == status {
			return statusIndex(i)
		}
	}
	return statusIndex(len(statuses) - 1)
}

// admits reports whether requests may pass at the backend's time nowMS.
func (r *Record) admits(nowMS int64) bool {
	return r.status.status() == protocol.Active && nowMS < r.expiresAt*1000
}

// State is the record as the backend sent it.
func (r *Record) State() *protocol.LiveState {
	st := &protocol.LiveState{
		ID: r.Headers[HeaderID], UserID: r.Headers[HeaderUser], ProviderID: r.Headers[HeaderProvider], Status: r.status.status(),
		Version: r.version, ExpiresAt: r.expiresAt, StartedAt: r.startedAt, PausedAt: r.pausedAt, DurationLimitSeconds: r.duration,
		TokensAllocated: r.tokens, ReturnURL: r.terms.returnURL, SettlementPolicy: r.terms.settlement, WarningSeconds: r.terms.warnings,
		Mode: r.terms.mode, Standstill: r.terms.standstill, Relaunches: int64(r.relaunches),
	}
	if r.terms.rawUser != "" {
		st.UserID = r.terms.rawUser
	}
	if x := r.terms.extension; x != nil {
		offer := *x
		offer.Used = int64(r.extensions)
		st.Extension = &offer
	}
	if p := r.terms.pause; p != nil {
		right := *p
		right.Used = int64(r.pauses)
		st.Pause = &right
	}
	return st
}

// interner makes records, and keeps what they share.
type interner struct {
	mu      sync.Mutex // guards strings, terms
	strings map[string]string
	terms   map[string]*terms
}

// maxShared is how many different values are kept for sharing. Beyond, they are
// forgotten and begin anew: marketplaces may put an order's number into each
// return URL, and then nothing is to be shared.
const maxShared = 4096

// record makes the record of st; old, which may be nil, is the same session's
// last one.
func (c *interner) record(st *protocol.LiveState, old *Record) *Record {
	r := &Record{
		version: st.Version, expiresAt: st.ExpiresAt, startedAt: st.StartedAt, pausedAt: st.PausedAt,
		duration: st.DurationLimitSeconds, tokens: st.TokensAllocated, status: indexOf(st.Status), relaunches: LinkOf(st.Relaunches),
	}
	user, raw := headerSafe(st.UserID), ""
	if user != st.UserID {
		raw = st.UserID
	}
	ends := strconv.FormatInt(st.ExpiresAt, 10)
	if old != nil && old.Headers[HeaderID] == st.ID && old.Headers[HeaderUser] == user {
		r.Headers[HeaderID], r.Headers[HeaderUser], r.Headers[HeaderExpires] = old.Headers[HeaderID], old.Headers[HeaderUser], ends
	} else {
		// One piece of memory for all three.
		all := st.ID + user + ends
		n, m := len(st.ID), len(st.ID)+len(user)
		r.Headers[HeaderID], r.Headers[HeaderUser], r.Headers[HeaderExpires] = all[:n], all[n:m], all[m:]
	}
	if x := st.Extension; x != nil {
		r.extensions = used(x.Used)
	}
	if p := st.Pause; p != nil {
		r.pauses = used(p.Used)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Headers[HeaderProvider] = c.shareLocked(st.ProviderID)
	r.terms = c.termsLocked(st, raw)
	return r
}

// LinkOf returns the number of a session's link from the relaunches in a state or token.
func LinkOf(relaunches int64) uint16 { return used(relaunches) }

func used(n int64) uint16 { return uint16(min(max(n, 0), math.MaxUint16)) }

func (c *interner) shareLocked(s string) string {
	if shared, ok := c.strings[s]; ok {
		return shared
	}
	if c.strings == nil || len(c.strings) >= maxShared {
		c.strings = make(map[string]string)
	}
	s = strings.Clone(s) // what it was cut from may be large
	c.strings[s] = s
	return s
}

func (c *interner) termsLocked(st *protocol.LiveState, rawUser string) *terms {
	var key [256]byte
	b := key[:0]
	for _, w := range st.WarningSeconds {
		b = append(strconv.AppendInt(b, w, 10), ',')
	}
	if x := st.Extension; x != nil {
		b = appendInts(append(b, 'x'), x.AdditionalSeconds, x.Tokens, x.MaxCount)
	}
	if p := st.Pause; p != nil {
		b = appendInts(append(b, 'p'), p.MaxCount, p.MaxSeconds)
	}
	b = append(append(append(b, 's'), st.SettlementPolicy...), ' ')
	b = append(append(append(b, 'm'), st.Mode...), ' ')
	b = append(append(append(b, 'w'), st.Standstill...), ' ')
	b = append(append(append(b, 'u'), st.ReturnURL...), ' ') // a URL has no blank
	b = append(b, rawUser...)
	if shared, ok := c.terms[string(b)]; ok {
		return shared
	}
	if c.terms == nil || len(c.terms) >= maxShared {
		c.terms = make(map[string]*terms)
	}
	t := &terms{
		returnURL: strings.Clone(st.ReturnURL), settlement: protocol.SettlementPolicy(strings.Clone(string(st.SettlementPolicy))),
		mode: protocol.Mode(strings.Clone(string(st.Mode))), standstill: strings.Clone(st.Standstill),
		warnings: append([]int64(nil), st.WarningSeconds...), rawUser: strings.Clone(rawUser),
	}
	if x := st.Extension; x != nil {
		t.extension = &protocol.Extension{AdditionalSeconds: x.AdditionalSeconds, Tokens: x.Tokens, MaxCount: x.MaxCount}
	}
	if p := st.Pause; p != nil {
		t.pause = &protocol.PauseRight{MaxCount: p.MaxCount, MaxSeconds: p.MaxSeconds}
	}
	c.terms[string(b)] = t
	return t
}

func appendInts(b []byte, list ...int64) []byte {
	for _, n := range list {
		b = append(strconv.AppendInt(b, n, 10), ',')
	}
	return b
}

// headerSafe keeps a user id, which is the marketplace's own string, from
// breaking out of its header.
func headerSafe(s string) string {
	clean := func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}
	return strings.Map(clean, s)
}
