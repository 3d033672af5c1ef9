package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/store/query"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// ErrLive is returned if a user has sessions that have not ended.
var ErrLive = errors.New("the user has sessions that have not ended")

// EraseUser replaces the id of a user by a pseudonym everywhere and removes the rest
// of the personal data. Accounts, holds and ledger entries stay, so that the ledger
// remains balanced; webhook messages become what rewrite makes of their payload. It
// returns [ErrLive] if the user has a session that has not ended, and [ErrNotFound]
// for an unknown user.
func (t *Tx) EraseUser(ctx context.Context, userID, pseudonym string, rewrite func(payload string) string) error {
	// Lock the account before reading it, so that concurrent credits and holds are
	// either part of the copy or fail.
	n, err := t.q.MoveBalance(ctx, 0, 0, userID)
	if err != nil {
		return fmt.Errorf("erasing user: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("erasing user: %w", ErrNotFound)
	}
	live, err := t.q.CountLiveSessionsOfUser(ctx, userID)
	if err != nil {
		return fmt.Errorf("erasing user: %w", err)
	}
	if live > 0 {
		return ErrLive
	}
	if _, err := t.q.CopyAccount(ctx, pseudonym, userID); err != nil {
		return fmt.Errorf("erasing user: %w", err)
	}
	steps := []func() error{
		// Before the sessions, which say where the user was.
		func() error { return t.q.ErasePageReports(ctx, "%/"+likeEscape.Replace(userID)+"/%", userID) },
		func() error { // an app may name the user without the marketplace
			_, user := protocol.SplitSubject(userID)
			return t.q.ErasePageReports(ctx, "%/"+likeEscape.Replace(user)+"/%", userID)
		},
		func() error { return t.q.EraseHolds(ctx, pseudonym, userID) },
		func() error { return t.rewriteMessages(ctx, userID, rewrite) },
		func() error { return t.q.EraseResponses(ctx, userID) },
		func() error { _, err := t.q.EraseSessions(ctx, pseudonym, userID); return err },
		func() error {
			_, err := t.q.EraseEntries(ctx, query.EraseEntriesParams{
				UserID: userID, Pseudonym: pseudonym,
				Available: string(ledger.Available(userID)), NewAvailable: string(ledger.Available(pseudonym)),
				Held: string(ledger.Held(userID)), NewHeld: string(ledger.Held(pseudonym)),
			})
			return err
		},
		func() error { return t.q.EraseProviderUsers(ctx, pseudonym, userID) },
		func() error { return t.q.DeleteAccount(ctx, userID) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("erasing user: %w", err)
		}
	}
	return nil
}

// rewriteMessages replaces the payload of each message about a user's sessions,
// whether it was delivered or waits: it may be sent again.
func (t *Tx) rewriteMessages(ctx context.Context, userID string, rewrite func(string) string) error {
	const page = 500
	for after := ""; ; {
		rows, err := t.q.ListMessagesOfUser(ctx, after, userID, page)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := t.q.SetMessage(ctx, rewrite(row.Payload), row.ID); err != nil {
				return err
			}
			after = row.ID
		}
		if len(rows) < page {
			return nil
		}
	}
}

// likeEscape escapes text for LIKE … ESCAPE '!'.
var likeEscape = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// UserEvent is an event in one of a user's sessions.
type UserEvent struct {
	ID        string
	SessionID string
	Source    string
	Name      string
	AtMS      int64
	Props     string
}

// EventsOfUser lists the events of a user's sessions, oldest first, starting after the
// event with the id after.
func (r Reader) EventsOfUser(ctx context.Context, userID, after string, limit int) ([]UserEvent, error) {
	rows, err := r.q.ListEventsOfUser(ctx, userID, after, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	list := make([]UserEvent, 0, len(rows))
	for _, row := range rows {
		list = append(list, UserEvent(row))
	}
	return list, nil
}
