// Package session is the life of one paid session as a pure state machine:
// values in, values out, the clock an argument.
//
//	            launch window over ─► canceled (hold released)
//	pending ─launch─► active ⇄ paused
//	                    │ ├─ complete (marketplace, or user ends)  ─► completed
//	                    │ ├─ deadline passes                        ─► expired
//	                    │ └─ revoke (operator, marketplace)         ─► revoked
//
// Seconds are whole. The clock rounds in the user's favor: it starts at the
// next full second after the moment of creation or launch, a pause begins at
// the full second before it was asked for and ends at the one after. A second
// that has started counts as used when a session is settled by time.
//
//	session.go     the record and what follows from it
//	event.go       what may happen
//	machine.go     Apply: what it changes
//	settlement.go  who gets which tokens at the end
//	errors.go      why something may not happen
package session
