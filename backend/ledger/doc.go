// Package ledger is double-entry bookkeeping of tokens, as pure values.
//
// Every movement is a [Transfer] of a positive amount from one account to
// another, written once and never changed; so all accounts together are always
// zero. A user has two accounts: what is available, and what is held for
// sessions. Tokens come from the issue account, which alone may go below zero.
//
//	issue ──credit──► user available ──hold──► user held ──capture──► provider
//	                        ▲                      │
//	                        └───────release────────┘
//
// Functions plan a [Posting]: the transfers, and what they do to the stored
// balance and hold. The store writes it in the transaction of the change that
// caused it, and fails it if a balance or a hold is not as the plan needs it.
package ledger
