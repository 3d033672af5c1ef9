package backend

import (
	"context"
	"errors"
	"time"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// refusal is a use case's no, with what the caller needs to go on.
type refusal struct {
	code       protocol.Code
	detail     string
	returnURL  string
	consentURL string
	sessionID  string
	cause      error // for the log; never sent
}

func (r *refusal) Error() string {
	if r.cause != nil {
		return string(r.code) + ": " + r.cause.Error()
	}
	return string(r.code)
}

func (r *refusal) Unwrap() error { return r.cause }

func refuse(code protocol.Code, detail string) *refusal { return &refusal{code: code, detail: detail} }

// waitError is a refusal until some time has passed.
type waitError struct{ wait time.Duration }

func (e *waitError) Error() string { return "rate limit: wait " + e.wait.String() }

// explain returns what a caller is told of an error. It is the only place where
// errors get their codes. Unknown ones are [protocol.Internal] and say nothing.
func explain(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if e, ok := errors.AsType[*session.IllegalError](err); ok {
		return refuse(protocol.IllegalTransition, "The session is "+string(e.From)+": it cannot "+e.Event+".")
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return refuse(protocol.NotFound, "There is no such thing here.")
	case errors.Is(err, store.ErrLive):
		return refuse(protocol.IllegalTransition, "The user has sessions that are not over. End them first.")
	case errors.Is(err, ErrEmail):
		return refuse(protocol.InvalidRequest, "That is no e-mail address.")
	case errors.Is(err, ErrRole):
		return refuse(protocol.InvalidRequest, "A key's role is provider, with a provider_id, or marketplace, edge or admin, without one.")
	case errors.Is(err, ErrPersonRole):
		return refuse(protocol.InvalidRequest, "A person's role is provider, with a provider_id, or admin, without one.")
	case errors.Is(err, store.ErrTaken):
		return refuse(protocol.AlreadyExists, "That is there already: an id, a domain or a person's role belongs to somebody.")
	case errors.Is(err, store.ErrKeyReused):
		return refuse(protocol.IdempotencyConflict, "This Idempotency-Key came before, with another request. Use a new key.")
	case errors.Is(err, ledger.ErrInsufficient):
		return refuse(protocol.InsufficientTokens, "The user has too few tokens available.")
	case errors.Is(err, ledger.ErrAmount), errors.Is(err, session.ErrTerms), errors.Is(err, session.ErrRefund):
		return refuse(protocol.InvalidRequest, "A figure is out of range.")
	case errors.Is(err, session.ErrPause):
		return refuse(protocol.PauseNotAllowed, "The provider's policy allows no further pause.")
	case errors.Is(err, coord.ErrDown):
		return refuse(protocol.Unavailable, "There is no stream just now. Ask by heartbeats until it is back.")
	case store.Unkeepable(err):
		return refuse(protocol.InvalidRequest, "A text of the request has a zero byte, or is not UTF-8.")
	case store.Unavailable(err):
		return refuse(protocol.Unavailable, "The database does not answer just now. Try again.")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return refuse(protocol.Unavailable, "The request took too long. Try again.")
	}
	return refuse(protocol.Internal, "Something went wrong on our side. The log has it under this request's id.")
}
