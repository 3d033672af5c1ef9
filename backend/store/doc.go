// Package store keeps the record in SQL: one schema and one set of queries
// (generated into package query) over two engines, embedded SQLite and
// PostgreSQL.
//
// All changes run in [Store.Write], one transaction each, so that a session's
// new state, its ledger entries and the answer remembered for its idempotency
// key are kept together or not at all. Rows are guarded by conditions and row
// counts, not by locks held across round trips: a session is written only at
// the version it was read at, a balance only if it stays at or above zero, a
// hold only once. A write that lost such a race is run again.
package store
