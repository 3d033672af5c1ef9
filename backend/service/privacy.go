package service

import (
	"context"

	"github.com/sessiongate/sessiongate/backend/store"
)

// EventsOfUser lists what is recorded of a user's sessions after the id of an
// event.
func (s *Service) EventsOfUser(ctx context.Context, userID, after string, limit int) ([]store.UserEvent, error) {
	return s.store.EventsOfUser(ctx, userID, after, limit)
}

// EraseUser erases a user and returns the pseudonym under which the ledger goes on.
func (s *Service) EraseUser(ctx context.Context, req Request, userID string) (pseudonym string, err error) {
	s.flushReports(ctx) // pages that name the user are erased with the rest
	return write(ctx, s, req, func(w *writeTx) (string, error) {
		name := "erased_" + shortID()
		return name, w.EraseUser(ctx, userID, name)
	})
}

// AuditEntries lists the audit log before the id of an entry, newest first.
func (s *Service) AuditEntries(ctx context.Context, before string, limit int) ([]store.AuditEntry, error) {
	return s.store.AuditLog(ctx, before, limit)
}
