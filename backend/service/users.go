package service

import (
	"context"
	"encoding/json"

	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/shape"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// EventsOfUser lists the recorded events of a user's sessions, starting after the event
// with the id after.
func (s *Service) EventsOfUser(ctx context.Context, userID, after string, limit int) ([]store.UserEvent, error) {
	return s.store.EventsOfUser(ctx, userID, after, limit)
}

// EraseUser erases a user and returns the pseudonym that replaces the user in the
// ledger.
func (s *Service) EraseUser(ctx context.Context, req Request, userID string) (pseudonym string, err error) {
	s.flushReports(ctx) // pages that name the user are erased with the rest
	return write(ctx, s, req, func(w *writeTx) (string, error) {
		name := protocol.Subject(protocol.MarketplaceOf(userID), "erased_"+shortID())
		return name, w.EraseUser(ctx, userID, name, func(payload string) string { return erasedMessage(payload, name) })
	})
}

// emptyMessage replaces messages that cannot be read.
const emptyMessage = `{"type":"erased","data":{}}`

// erasedMessage returns a webhook message with a pseudonym in place of the user. The
// provider still learns what became of the session, whose id it knows.
func erasedMessage(payload, pseudonym string) string {
	var m shape.Message[shape.SessionData]
	if err := json.Unmarshal([]byte(payload), &m); err != nil || m.Data.Session.ID == "" {
		return emptyMessage
	}
	// The addresses may name the user, too: the record forgets them as well.
	m.Data.Session.UserID, m.Data.Session.ReturnURL, m.Data.Session.ConsentURL = pseudonym, "", ""
	text, err := json.Marshal(m)
	if err != nil {
		return emptyMessage
	}
	return string(text)
}

// AuditEntries lists the audit log before the id of an entry, newest first.
func (s *Service) AuditEntries(ctx context.Context, before string, limit int) ([]store.AuditEntry, error) {
	return s.store.AuditLog(ctx, before, limit)
}

// Credit gives a user tokens and returns the balance after it.
func (s *Service) Credit(ctx context.Context, req Request, userID string, amount int64) (ledger.Balance, error) {
	return write(ctx, s, req, func(w *writeTx) (ledger.Balance, error) {
		posting, err := ledger.Credit(store.NewID(w.now), userID, amount, w.now)
		if err != nil {
			return ledger.Balance{}, err
		}
		if err := w.Post(ctx, posting); err != nil {
			return ledger.Balance{}, err
		}
		return w.Balance(ctx, userID)
	})
}

// Balance returns the token balance of a user.
func (s *Service) Balance(ctx context.Context, userID string) (ledger.Balance, error) {
	return s.store.Balance(ctx, userID)
}

// Entries lists ledger entries, newest first.
func (s *Service) Entries(ctx context.Context, f store.EntryFilter) ([]ledger.Transfer, error) {
	return s.store.Entries(ctx, f)
}
