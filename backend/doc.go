// Package backend is the session service: it sells timed sessions, keeps their
// money, tells edges what they need to know, and ends every session on time.
//
//	Open, Serve, Config   one running service          backend
//	  │
//	  ├─► api             HTTP: routes, callers, problems, OpenAPI
//	  │    │
//	  └────┴─► service    use cases, loops, sign-in, limits
//	             │
//	             ├─► shape              JSON that API and webhooks share
//	             ├─► session, ledger    the rules, pure
//	             ├─► store              SQL
//	             ├─► coord              what several processes agree on
//	             ├─► webhook            signing and delivery
//	             └─► keyring            the keys that sign tokens
package backend
