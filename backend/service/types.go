package service

import (
	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
)

// What use cases take and return. These are the types of the packages below, by
// which callers need not know those packages.
type (
	Session  = session.Session
	Status   = session.Status
	Provider = store.Provider
	Policies = store.Policies
	Person   = store.Person
	APIKey   = store.APIKey

	Webhook  = store.Webhook
	Delivery = store.Delivery
	Attempt  = store.Attempt

	PageEvent = store.PageEvent
	Day       = store.Day
	Balance   = ledger.Balance

	SessionFilter  = store.SessionFilter
	EntryFilter    = store.EntryFilter
	DeliveryFilter = store.DeliveryFilter

	// Subscription follows live-state changes, batch by batch.
	Subscription = coord.Subscription
	// Batch is some changes.
	Batch = coord.Batch
)

var (
	// ErrNotFound: no such thing, or another's.
	ErrNotFound = store.ErrNotFound
	// ErrStreamDown: changes cannot be followed now.
	ErrStreamDown = coord.ErrDown
)
