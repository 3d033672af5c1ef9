package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/sessiongate/sessiongate/backend/store"
)

// ErrPersonRole is returned for a role that no person can have, or that lacks
// its provider.
var ErrPersonRole = errors.New("role must be provider (with a provider id) or admin")

// ErrEmail is returned for what is no e-mail address.
var ErrEmail = errors.New("not a valid e-mail address")

// AddPerson gives an address a role within tx: [RoleProvider] with a provider's
// id, or [RoleAdmin]. It returns [ErrPersonRole],
// [ErrEmail], [ErrNotFound] for a provider
// that is not there, or [store.ErrTaken].
func AddPerson(ctx context.Context, tx *store.Tx, role Role, providerID, email string, now int64) (store.Person, error) {
	email, err := normalEmail(email)
	if err != nil {
		return store.Person{}, err
	}
	if role != RoleProvider && role != RoleAdmin || (role == RoleProvider) != (providerID != "") {
		return store.Person{}, ErrPersonRole
	}
	if role == RoleProvider {
		if _, err := tx.Provider(ctx, providerID); err != nil {
			return store.Person{}, err
		}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return store.Person{}, fmt.Errorf("adding person: %w", err)
	}
	p := store.Person{ID: id.String(), Email: email, Role: string(role), ProviderID: providerID, CreatedAt: now}
	return p, tx.InsertPerson(ctx, p)
}

// AddPerson gives an address a role.
func (s *Service) AddPerson(ctx context.Context, req Request, role Role, providerID, email string) (store.Person, error) {
	return write(ctx, s, req, func(w *writeTx) (store.Person, error) {
		return AddPerson(ctx, w.Tx, role, providerID, email, w.now.Unix())
	})
}

// ListPeople lists people and their roles after the id of one of them.
func (s *Service) ListPeople(ctx context.Context, after string, limit int) ([]store.Person, error) {
	return s.store.People(ctx, after, limit)
}

// DeletePerson takes a role away, and ends its sign-ins.
func (s *Service) DeletePerson(ctx context.Context, req Request, id string) error {
	_, err := write(ctx, s, req, func(w *writeTx) (struct{}, error) { return struct{}{}, w.DeletePerson(ctx, id) })
	return err
}
