package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/store/query"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// Post writes a posting. It returns [ledger.ErrInsufficient] if the user has too few
// tokens available, and [ErrConflict] if the hold has changed since it was read.
func (t *Tx) Post(ctx context.Context, p ledger.Posting) error {
	if err := t.moveBalance(ctx, p); err != nil {
		return err
	}
	if p.Hold != nil {
		if err := t.writeHold(ctx, *p.Hold); err != nil {
			return err
		}
	}
	for _, e := range p.Transfers {
		err := t.q.InsertEntry(ctx, query.InsertEntryParams{
			ID: e.ID, Kind: string(e.Kind), Debit: string(e.Debit), Credit: string(e.Credit), Amount: e.Amount,
			UserID: e.UserID, ProviderID: e.ProviderID, SessionID: e.SessionID, AtUs: e.At,
			MarketplaceID: protocol.MarketplaceOf(e.UserID),
		})
		if err != nil {
			return fmt.Errorf("writing ledger entry: %w", err)
		}
	}
	return nil
}

func (t *Tx) moveBalance(ctx context.Context, p ledger.Posting) error {
	if p.HeldDelta >= 0 { // the user may not have an account yet
		if err := t.q.EnsureAccount(ctx, p.UserID, protocol.MarketplaceOf(p.UserID)); err != nil {
			return fmt.Errorf("opening account: %w", err)
		}
	}
	if p.PostedDelta == 0 && p.HeldDelta == 0 {
		return nil
	}
	n, err := t.q.MoveBalance(ctx, p.PostedDelta, p.HeldDelta, p.UserID)
	if err != nil {
		return fmt.Errorf("writing balance: %w", err)
	}
	if n == 0 && p.PostedDelta > 0 {
		return fmt.Errorf("writing balance: %w", ErrConflict) // a credit cannot be insufficient: the account was erased concurrently
	}
	if n == 0 {
		return ledger.ErrInsufficient
	}
	return nil
}

func (t *Tx) writeHold(ctx context.Context, h ledger.Hold) error {
	var n int64
	var err error
	switch {
	case h.Settled:
		n, err = t.q.SettleHold(ctx, query.SettleHoldParams{Captured: h.Captured, Released: h.Released, SessionID: h.ID, Amount: h.Amount})
	case h.Grown > 0:
		n, err = t.q.GrowHold(ctx, query.GrowHoldParams{Amount: h.Amount, Grown: h.Grown, SessionID: h.ID, OldGrown: h.Grown - 1})
	default:
		n = 1
		err = t.q.InsertHold(ctx, query.InsertHoldParams{SessionID: h.ID, UserID: h.UserID, ProviderID: h.ProviderID, Amount: h.Amount})
	}
	if err != nil {
		return fmt.Errorf("writing hold: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("writing hold: %w", ErrConflict)
	}
	return nil
}

// Hold returns the hold of a session.
func (r Reader) Hold(ctx context.Context, sessionID string) (ledger.Hold, error) {
	row, err := r.q.GetHold(ctx, sessionID)
	if err != nil {
		return ledger.Hold{}, fmt.Errorf("reading hold: %w", found(err))
	}
	return ledger.Hold{
		ID: row.SessionID, UserID: row.UserID, ProviderID: row.ProviderID, Amount: row.Amount, Grown: row.Grown,
		Settled: row.Settled != 0, Captured: row.Captured, Released: row.Released,
	}, nil
}

// Balance returns a user's balance. It is zero for an unknown user.
func (r Reader) Balance(ctx context.Context, userID string) (ledger.Balance, error) {
	row, err := r.q.GetAccount(ctx, userID)
	if err = found(err); errors.Is(err, ErrNotFound) {
		return ledger.Balance{}, nil
	}
	if err != nil {
		return ledger.Balance{}, fmt.Errorf("reading balance: %w", err)
	}
	return ledger.Balance{Posted: row.Posted, Held: row.Held}, nil
}

// EntryFilter selects ledger entries of one user.
type EntryFilter struct {
	UserID    string
	SessionID string // empty: of all sessions
	// List entries older than the one with this time and id. Zero: start with the
	// newest.
	BeforeUS int64
	BeforeID string
	Limit    int
}

// Entries lists ledger entries, newest first.
func (r Reader) Entries(ctx context.Context, f EntryFilter) ([]ledger.Transfer, error) {
	if f.BeforeUS == 0 {
		f.BeforeUS = math.MaxInt64
	}
	rows, err := r.q.ListEntriesOfUser(ctx, query.ListEntriesOfUserParams{
		UserID: f.UserID, SessionID: f.SessionID, BeforeUs: f.BeforeUS, BeforeID: f.BeforeID, MaxRows: int32(f.Limit),
	})
	if err != nil {
		return nil, fmt.Errorf("listing ledger entries: %w", err)
	}
	list := make([]ledger.Transfer, 0, len(rows))
	for _, row := range rows {
		list = append(list, transferFrom(row))
	}
	return list, nil
}

func transferFrom(row query.LedgerEntry) ledger.Transfer {
	return ledger.Transfer{
		ID: row.ID, Kind: ledger.Kind(row.Kind), Debit: ledger.Account(row.Debit), Credit: ledger.Account(row.Credit),
		Amount: row.Amount, UserID: row.UserID, ProviderID: row.ProviderID, SessionID: row.SessionID, At: row.AtUs,
	}
}

// Audit runs [Reader.Audit] on a snapshot, which concurrent writes do not affect.
func (s *Store) Audit(ctx context.Context) error {
	options := &sql.TxOptions{ReadOnly: true}
	if s.engine == postgresEngine {
		options.Isolation = sql.LevelRepeatableRead // on SQLite every read transaction is
	}
	tx, err := s.read.BeginTx(ctx, options)
	if err != nil {
		return fmt.Errorf("auditing: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return Reader{q: s.q.WithTx(tx), ordered: s.ordered}.Audit(ctx)
}

// Audit recomputes the ledger and returns the first inconsistency: accounts of a
// marketplace that do not sum to zero, negative accounts, balances that differ from their entries, or
// holds that differ from their captures and releases.
func (r Reader) Audit(ctx context.Context) error {
	sides, err := r.q.AuditEntries(ctx)
	if err != nil {
		return fmt.Errorf("auditing: %w", err)
	}
	totals := map[string]int64{} // by marketplace: tokens do not pass from one to another
	counted := map[ledger.Account]int64{}
	for _, side := range sides {
		account := ledger.Account(side.Account)
		counted[account] = side.Balance
		totals[account.Marketplace()] += side.Balance
		if side.Balance < 0 && !account.IsIssue() {
			return fmt.Errorf("auditing: account %s is at %d", account, side.Balance)
		}
	}
	for marketplace, total := range totals {
		if total != 0 {
			return fmt.Errorf("auditing: accounts of %s sum to %d", marketplace, total)
		}
	}
	accounts, err := r.q.AuditAccounts(ctx)
	if err != nil {
		return fmt.Errorf("auditing: %w", err)
	}
	for _, a := range accounts {
		if a.Held != a.OpenHolds || a.Held != counted[ledger.Held(a.UserID)] || a.Posted-a.Held != counted[ledger.Available(a.UserID)] {
			return fmt.Errorf("auditing: account of %s has posted %d, held %d; open holds are %d, entries say %d available and %d held",
				a.UserID, a.Posted, a.Held, a.OpenHolds, counted[ledger.Available(a.UserID)], counted[ledger.Held(a.UserID)])
		}
		delete(counted, ledger.Held(a.UserID))
		delete(counted, ledger.Available(a.UserID))
	}
	for account, balance := range counted {
		if balance != 0 && strings.HasPrefix(string(account), "user:") {
			return fmt.Errorf("auditing: account %s is at %d by its entries, and its user has none", account, balance)
		}
	}
	wrong, err := r.q.AuditCaptures(ctx)
	if err != nil {
		return fmt.Errorf("auditing: %w", err)
	}
	if wrong != 0 {
		return fmt.Errorf("auditing: %d holds differ from their entries", wrong)
	}
	return nil
}
