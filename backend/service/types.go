package service

import (
	"context"
	"errors"
	"time"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/seal"
)

// What use cases take and return. These are the types of the packages below, by
// which callers need not know those packages.
type (
	Session     = session.Session
	Status      = session.Status
	Mode        = session.Mode
	Provider    = store.Provider
	Marketplace = store.Marketplace
	GuestChange = store.GuestChange
	Policies    = store.Policies
	Person      = store.Person
	APIKey      = store.APIKey
	Pass        = store.Pass

	Webhook  = store.Webhook
	Delivery = store.Delivery
	Attempt  = store.Attempt

	PageEvent = store.PageEvent
	Day       = store.Day
	EventDay  = store.EventDay
	Balance   = ledger.Balance

	SessionFilter  = store.SessionFilter
	EntryFilter    = store.EntryFilter
	DeliveryFilter = store.DeliveryFilter
	KeyFilter      = store.KeyFilter
	PassFilter     = store.PassFilter
	WebhookFilter  = store.WebhookFilter
	EdgeFilter     = store.EdgeFilter

	// Subscription follows live-state changes, batch by batch.
	Subscription = coord.Subscription
	// Batch is some changes.
	Batch = coord.Batch
)

// The modes of webhooks.
const (
	LiveWebhook = store.LiveWebhook
	TestWebhook = store.TestWebhook
)

// The modes of sessions.
const (
	LiveMode    = session.LiveMode
	TestMode    = session.TestMode
	StaffMode   = session.StaffMode
	PreviewMode = session.PreviewMode
)

var (
	// ErrNotFound means that it does not exist, or belongs to another provider.
	ErrNotFound = store.ErrNotFound
	// ErrStreamDown means that changes cannot be followed at present.
	ErrStreamDown = coord.ErrDown
)

// Refusal is the error of a use case that refuses a request. It carries what the
// caller needs to continue.
type Refusal struct {
	Code       protocol.Code
	Detail     string
	ReturnURL  string
	ConsentURL string
	SessionID  string
	Cause      error // for the log; never sent
}

func (r *Refusal) Error() string {
	if r.Cause != nil {
		return string(r.Code) + ": " + r.Cause.Error()
	}
	return string(r.Code)
}

func (r *Refusal) Unwrap() error { return r.Cause }

func Refuse(code protocol.Code, detail string) *Refusal { return &Refusal{Code: code, Detail: detail} }

// WaitError says how long the caller must wait before it tries again.
type WaitError struct{ Wait time.Duration }

func (e *WaitError) Error() string { return "rate limit: wait " + e.Wait.String() }

// Explain returns the refusal that the caller receives for err. It is the only
// place that maps errors to codes. Unknown errors become [protocol.Internal], and
// their text is not sent.
func Explain(err error) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	if e, ok := errors.AsType[*session.IllegalError](err); ok {
		return Refuse(protocol.IllegalTransition, "Cannot "+e.Event+" a session that is "+string(e.From)+".")
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Refuse(protocol.NotFound, "Resource not found.")
	case errors.Is(err, store.ErrLive):
		return Refuse(protocol.IllegalTransition, "The user has sessions that have not ended. End them first.")
	case errors.Is(err, ErrMarketplace):
		return Refuse(protocol.InvalidRequest, "id must be mkt_ and at most 32 lower-case letters, digits and _.")
	case errors.Is(err, ErrEmail):
		return Refuse(protocol.InvalidRequest, "The e-mail address is not valid.")
	case errors.Is(err, ErrRole):
		return Refuse(protocol.InvalidRequest, "role must be provider, with a provider_id; marketplace, with a marketplace_id or without; or edge or admin, with neither.")
	case errors.Is(err, ErrTestRole):
		return Refuse(protocol.InvalidRequest, "test is for the roles marketplace and provider.")
	case errors.Is(err, ErrPersonRole):
		return Refuse(protocol.InvalidRequest, "role must be provider, with a provider_id, or admin, without one.")
	case errors.Is(err, store.ErrTaken):
		return Refuse(protocol.AlreadyExists, "The id, domain or person's role already exists.")
	case errors.Is(err, store.ErrKeyReused):
		return Refuse(protocol.IdempotencyConflict, "This Idempotency-Key was already used for a different request. Use a new key.")
	case errors.Is(err, ledger.ErrInsufficient):
		return Refuse(protocol.InsufficientTokens, "The user does not have enough available tokens.")
	case errors.Is(err, ledger.ErrAmount), errors.Is(err, session.ErrTerms), errors.Is(err, session.ErrRefund):
		return Refuse(protocol.InvalidRequest, "A value is out of range.")
	case errors.Is(err, session.ErrPurchases):
		return Refuse(protocol.InvalidRequest, "The session has too many different extensions. Extend by the same seconds and tokens as before, or sell a new session.")
	case errors.Is(err, session.ErrPause):
		return Refuse(protocol.PauseNotAllowed, "The provider's pause policy does not allow another pause.")
	case errors.Is(err, session.ErrStandstill):
		return Refuse(protocol.InMaintenance, "The provider's app cannot be used now. The session's clock stands still and goes on afterwards. Try again later.")
	case errors.Is(err, coord.ErrDown):
		return Refuse(protocol.Unavailable, "The event stream is unavailable. Use heartbeats until it is back.")
	case errors.Is(err, seal.ErrSealed):
		return Refuse(protocol.Unavailable, "The secret cannot be read: the service does not have the key that it was sealed with. Ask the operator to set SESSIONGATE_SEAL_KEY.")
	case store.Unkeepable(err):
		return Refuse(protocol.InvalidRequest, "A string in the request contains a null byte or is not valid UTF-8.")
	case errors.Is(err, store.ErrBusy):
		return &Refusal{Code: protocol.RateLimited, Detail: "Too many of your requests wait already. Send fewer at once.", Cause: &WaitError{time.Second}}
	case store.Unavailable(err):
		return Refuse(protocol.Unavailable, "The database is unavailable. Try again.")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Refuse(protocol.Unavailable, "The request took too long. Try again.")
	}
	return Refuse(protocol.Internal, "Internal error. The server's log has the details under this request's id.")
}
