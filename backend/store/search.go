package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store/query"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	// narrowSearch is how many sessions a search for users may find and still be
	// answered by sorting them. One that finds more is answered from the newest
	// session on: it meets enough of them soon.
	narrowSearch = 2000
	// idSlack is how far the time in a session's id may be from its created_at:
	// clocks of machines were not always compared.
	idSlack = 24 * time.Hour
	// firstID is less than every id.
	firstID = ""
)

// SessionFilter selects sessions. Empty fields select all.
type SessionFilter struct {
	// The marketplace whose sessions to list. Empty: of all.
	MarketplaceID string
	ProviderID    string
	UserID        string // the user's subject
	Status        session.Status
	// Only with ProviderID or UserID, and without MarketplaceID: the mode of the sessions.
	// Empty: live. A marketplace's sessions are live; those of its test keys belong to its
	// test tenant.
	Mode session.Mode
	// Only with ProviderID or UserID, and without MarketplaceID: created at or after Since and before Until, in Unix
	// seconds.
	Since, Until int64
	// Only with ProviderID: the session with this id, and the sessions of users whose
	// ids begin with it.
	Search string
	// Only sessions older than the one with this id.
	Before string
	Limit  int
}

// Sessions lists sessions, newest first. Each kind of filter has a query of its own,
// whose index leads to the rows that it returns.
func (r Reader) Sessions(ctx context.Context, f SessionFilter) ([]session.Session, error) {
	f.Before = cmp.Or(f.Before, last)
	f.Until = cmp.Or(f.Until, math.MaxInt64)
	f.Mode = cmp.Or(f.Mode, session.LiveMode)
	rows, err := r.sessionRows(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("listing sessions: %w", err)
	}
	return r.fromRows(ctx, rows)
}

func (r Reader) sessionRows(ctx context.Context, f SessionFilter) ([]query.Session, error) {
	status, limit := string(f.Status), int32(f.Limit)
	switch {
	case f.UserID != "" && f.MarketplaceID != "" && protocol.MarketplaceOf(f.UserID) != f.MarketplaceID:
		return nil, nil // another marketplace's user
	case f.UserID != "" && !strings.HasPrefix(f.UserID, f.Search):
		return r.one(ctx, f) // of this user's sessions, the search can only find one by its id
	case f.UserID != "":
		rows, err := r.q.ListSessionsOfUser(ctx, query.ListSessionsOfUserParams{
			UserID: f.UserID, ProviderID: f.ProviderID, Status: status, Before: f.Before, Since: f.Since, Until: f.Until, MaxRows: limit,
		})
		// A user's sessions are all of one mode: all are left, or none.
		return slices.DeleteFunc(rows, func(s query.Session) bool { return !f.ofMode(s) }), err
	case f.MarketplaceID != "":
		return r.sessionsOfMarketplace(ctx, f)
	case f.ProviderID == "" && status != "":
		return nil, errors.New("a status needs a marketplace or a provider")
	case f.ProviderID == "":
		return r.q.ListSessions(ctx, f.Before, limit)
	case f.Search != "":
		return r.search(ctx, f)
	}
	return r.sessionsOfProvider(ctx, f)
}

// sessionsOfMarketplace reads a marketplace's sessions, of all providers or of one.
func (r Reader) sessionsOfMarketplace(ctx context.Context, f SessionFilter) ([]query.Session, error) {
	status, limit := string(f.Status), int32(f.Limit)
	switch {
	case f.ProviderID != "" && status != "":
		return r.q.ListSessionsOfMarketplaceAtProviderInStatus(ctx, query.ListSessionsOfMarketplaceAtProviderInStatusParams{
			MarketplaceID: f.MarketplaceID, ProviderID: f.ProviderID, Status: status, Before: f.Before, MaxRows: limit,
		})
	case f.ProviderID != "":
		return r.q.ListSessionsOfMarketplaceAtProvider(ctx, query.ListSessionsOfMarketplaceAtProviderParams{
			MarketplaceID: f.MarketplaceID, ProviderID: f.ProviderID, Before: f.Before, MaxRows: limit,
		})
	case f.Status.Terminal() && status != "":
		return r.q.ListEndedSessionsOfMarketplace(ctx, query.ListEndedSessionsOfMarketplaceParams{
			MarketplaceID: f.MarketplaceID, Status: status, Before: f.Before, MaxRows: limit,
		})
	case status != "":
		return r.q.ListLiveSessionsOfMarketplace(ctx, query.ListLiveSessionsOfMarketplaceParams{
			MarketplaceID: f.MarketplaceID, Status: status, Before: f.Before, MaxRows: limit,
		})
	}
	return r.q.ListSessionsOfMarketplace(ctx, f.MarketplaceID, f.Before, limit)
}

// sessionsOfProvider reads a provider's sessions in the order of their ids, within the
// range of ids that the range of time allows.
func (r Reader) sessionsOfProvider(ctx context.Context, f SessionFilter) ([]query.Session, error) {
	after, before := firstID, f.Before
	if f.Since > 0 {
		after = FirstID(time.Unix(f.Since, 0).Add(-idSlack))
	}
	if f.Until < math.MaxInt64/2 {
		before = min(before, FirstID(time.Unix(f.Until, 0).Add(idSlack)))
	}
	if f.Status != "" && f.Search == "" {
		return r.q.ListSessionsOfProviderInStatus(ctx, query.ListSessionsOfProviderInStatusParams{
			ProviderID: f.ProviderID, Mode: string(f.Mode), Status: string(f.Status), Before: before, Since: f.Since, Until: f.Until, MaxRows: int32(f.Limit),
		})
	}
	return r.q.ListSessionsOfProvider(ctx, query.ListSessionsOfProviderParams{
		ProviderID: f.ProviderID, Mode: string(f.Mode), Status: string(f.Status), Before: before, After: after, Since: f.Since, Until: f.Until,
		Search: f.Search, MaxRows: int32(f.Limit),
	})
}

// search finds the session with an id, and the sessions of users whose ids begin with
// a text.
func (r Reader) search(ctx context.Context, f SessionFilter) ([]query.Session, error) {
	rows, err := r.searchUsers(ctx, f)
	if err != nil {
		return nil, err
	}
	one, err := r.one(ctx, f)
	if err != nil {
		return nil, err
	}
	if len(one) > 0 && !slices.ContainsFunc(rows, func(s query.Session) bool { return s.ID == one[0].ID }) {
		rows = append(rows, one[0])
		slices.SortFunc(rows, func(a, b query.Session) int { return cmp.Compare(b.ID, a.ID) })
		rows = rows[:min(len(rows), f.Limit)]
	}
	return rows, nil
}

// one is the session whose id is searched for, if it matches the filter, too.
func (r Reader) one(ctx context.Context, f SessionFilter) ([]query.Session, error) {
	s, err := r.q.GetSession(ctx, f.Search)
	if errors.Is(found(err), ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if s.ID >= f.Before || f.ProviderID != "" && s.ProviderID != f.ProviderID || f.UserID != "" && s.UserID != f.UserID || !f.finds(s) {
		return nil, nil
	}
	return []query.Session{s}, nil
}

func (r Reader) searchUsers(ctx context.Context, f SessionFilter) ([]query.Session, error) {
	if !r.ordered {
		// The database orders texts by a language's rules: no range of them is
		// those that begin with a text.
		return r.sessionsOfProvider(ctx, f)
	}
	beyond := f.Search + string(utf8.MaxRune)
	n, err := r.q.CountSessionsOfUsers(ctx, query.CountSessionsOfUsersParams{ProviderID: f.ProviderID, Mode: string(f.Mode), First: f.Search, Last: beyond, MaxRows: narrowSearch})
	if err != nil {
		return nil, err
	}
	if n == narrowSearch {
		return r.sessionsOfProvider(ctx, f)
	}
	return r.q.ListSessionsOfUsers(ctx, query.ListSessionsOfUsersParams{
		ProviderID: f.ProviderID, Mode: string(f.Mode), First: f.Search, Last: beyond, Before: f.Before, Status: string(f.Status),
		Since: f.Since, Until: f.Until, MaxRows: int32(f.Limit),
	})
}

// ofMode reports whether s is of the mode that f selects.
func (f SessionFilter) ofMode(s query.Session) bool {
	return f.MarketplaceID != "" || cmp.Or(modeOf(s), session.LiveMode) == f.Mode
}

// finds reports whether s matches what a query did not ask for.
func (f SessionFilter) finds(s query.Session) bool {
	return f.ofMode(s) && (f.Status == "" || s.Status == string(f.Status)) && s.CreatedAt >= f.Since && s.CreatedAt < f.Until &&
		(f.Search == "" || s.ID == f.Search || len(s.UserID) >= len(f.Search) && s.UserID[:len(f.Search)] == f.Search)
}
