// Package backend is the session service: it sells timed sessions, keeps their
// money, tells edges what they need to know, and ends every session on time.
//
//	backend.go        Open, Serve, Run, Close: the process
//	config.go         its configuration
//	service.go        the use cases' common ground; what it asks of its surroundings
//	service_*.go      the use cases: sessions, the edge, money, providers, API keys
//	expiry.go         the loop that lets deadlines pass
//	beats.go          heartbeats, gathered and written in batches
//	http.go           the HTTP API's frame: routes, callers, request ids
//	http_*.go         its endpoints
//	problem.go        errors as HTTP answers, in one place
//
// Packages beneath hold one idea each: session (the state machine) and ledger
// (double entry) are pure, store is SQL, coord is what several processes agree
// on, keyring holds the signing keys.
package backend
