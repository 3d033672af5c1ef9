package store

import (
	"context"
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/backend/store/query"
)

// Person is one role of a person who signs in with the identity provider. A person
// with several roles has several rows.
type Person struct {
	ID string
	// The e-mail address, in lower case.
	Email      string
	Role       string // provider or admin
	ProviderID string // with provider
	// Issuer and subject of the account that signed in first. Empty before that.
	Subject   string
	CreatedAt int64
	// The last sign-in; 0 for never.
	LastSeenAt int64
}

// SignIn is a browser that is signed in, either as a person or with an API key.
type SignIn struct {
	// SHA-256 of the cookie, in hex. The cookie has 256 random bits.
	Hash      string
	PersonID  string
	KeyID     string
	CreatedAt int64
	ExpiresAt int64
}

// InsertPerson writes a role of a person. It returns [ErrTaken] if the person already
// has the role.
func (t *Tx) InsertPerson(ctx context.Context, p Person) error {
	n, err := t.q.CountPerson(ctx, p.Email, p.Role, p.ProviderID)
	if err != nil {
		return fmt.Errorf("adding person: %w", err)
	}
	if n > 0 {
		return fmt.Errorf("adding person: %w", ErrTaken)
	}
	err = t.q.InsertPerson(ctx, query.InsertPersonParams{
		ID: p.ID, Email: p.Email, Role: p.Role, ProviderID: p.ProviderID, CreatedAt: p.CreatedAt,
	})
	if err != nil {
		return fmt.Errorf("adding person: %w", err)
	}
	return nil
}

// Person returns one role of a person, or [ErrNotFound].
func (r Reader) Person(ctx context.Context, id string) (Person, error) {
	row, err := r.q.GetPerson(ctx, id)
	if err != nil {
		return Person{}, fmt.Errorf("reading person: %w", found(err))
	}
	return Person(row), nil
}

// People lists the roles of all people by id, starting after the id after.
func (r Reader) People(ctx context.Context, after string, limit int) ([]Person, error) {
	return people(r.q.ListPeople(ctx, after, int32(limit)))
}

// PeopleByEmail lists the roles of one address, oldest first.
func (r Reader) PeopleByEmail(ctx context.Context, email string) ([]Person, error) {
	return people(r.q.ListPeopleByEmail(ctx, email))
}

func people(rows []query.Person, err error) ([]Person, error) {
	if err != nil {
		return nil, fmt.Errorf("listing people: %w", err)
	}
	list := make([]Person, 0, len(rows))
	for _, row := range rows {
		list = append(list, Person(row))
	}
	return list, nil
}

// BindPeople records that an address signed in. The first account that signs in is
// bound to the address.
func (t *Tx) BindPeople(ctx context.Context, email, subject string, now time.Time) error {
	if err := t.q.BindPeople(ctx, subject, now.Unix(), email); err != nil {
		return fmt.Errorf("noting sign-in: %w", err)
	}
	return nil
}

// DeletePerson removes a role and ends its sign-ins. It returns [ErrNotFound] if there
// is no such role.
func (t *Tx) DeletePerson(ctx context.Context, id string) error {
	n, err := t.q.DeletePerson(ctx, id)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err == nil {
		err = t.q.DeleteSignInsOfPerson(ctx, id)
	}
	if err != nil {
		return fmt.Errorf("removing person: %w", err)
	}
	return nil
}

// InsertSignIn writes a sign-in.
func (t *Tx) InsertSignIn(ctx context.Context, s SignIn) error {
	err := t.q.InsertSignIn(ctx, query.InsertSignInParams(s))
	if err != nil {
		return fmt.Errorf("writing sign-in: %w", err)
	}
	return nil
}

// SignIn returns the sign-in with this hash, or [ErrNotFound]. The caller checks
// ExpiresAt.
func (r Reader) SignIn(ctx context.Context, hash string) (SignIn, error) {
	row, err := r.q.GetSignIn(ctx, hash)
	if err != nil {
		return SignIn{}, fmt.Errorf("reading sign-in: %w", found(err))
	}
	return SignIn(row), nil
}

// DeleteSignIn ends a sign-in, if it exists.
func (t *Tx) DeleteSignIn(ctx context.Context, hash string) error {
	if err := t.q.DeleteSignIn(ctx, hash); err != nil {
		return fmt.Errorf("ending sign-in: %w", err)
	}
	return nil
}

// ForgetSignIns removes expired sign-ins and returns how many.
func (t *Tx) ForgetSignIns(ctx context.Context, now time.Time) (int64, error) {
	n, err := t.q.DeleteOldSignIns(ctx, now.Unix())
	if err != nil {
		return 0, fmt.Errorf("forgetting sign-ins: %w", err)
	}
	return n, nil
}
