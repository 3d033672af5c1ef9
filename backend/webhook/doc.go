// Package webhook tells providers' servers what happened, by the Standard
// Webhooks specification: signed by HMAC-SHA256, at least once, in the order
// that retries allow.
//
//	sign.go      secrets and signatures
//	guard.go     which addresses may be called
//	attempt.go   one HTTP call
//	schedule.go  what follows from its answer: pure
//	dispatch.go  the loop that finds what is due, so that one dead endpoint
//	             delays no other
//
// What is to be told is written by the service in the transaction of the change
// itself. This package asks for what is due through [Queue], which hands each
// delivery to one caller for the length of a lease:
//
//	pending ─claim─► leased ─2xx─────────► delivered
//	   ▲               │ ├─no more tries,
//	   │               │ │  410, disabled─► failed ─replay─► pending
//	   └── retry ──────┘ └─lease runs out: due again
package webhook
