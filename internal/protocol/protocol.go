// Package protocol holds what the edge, the backend and the browser say to one
// another: paths, bodies, states and error codes, one copy for all sides.
//
//	browser ── /.session-gate/… ──► edge ── /api/v1/edge/… ──► backend
//	                                  └──── /api/v1/sessions/{id}/… (the user's own session)
//
// All bodies are JSON in UTF-8 with snake_case names. Times are whole Unix
// seconds, except fields that end in _ms, which are Unix milliseconds. Amounts
// of tokens are integers. Errors are [Problem] documents (RFC 9457) with a
// stable code; see [Code].
package protocol

// The same-origin API, served by the gate on the provider's own domain. Nothing
// below [GatePrefix] ever reaches the origin.
const (
	GatePrefix    = "/.session-gate/"
	GateSession   = GatePrefix + "session"   // POST, or GET: [SessionAnswer]
	GateHeartbeat = GatePrefix + "heartbeat" // POST [HeartbeatRequest]: [HeartbeatAnswer]
	GateExtend    = GatePrefix + "extend"    // POST [ExtendRequest]: [SessionAnswer]
	GatePause     = GatePrefix + "pause"     // POST: [SessionAnswer]
	GateResume    = GatePrefix + "resume"    // POST: [SessionAnswer]; for a form, 303
	GateEnd       = GatePrefix + "end"       // POST: [SessionAnswer]
	GateEvents    = GatePrefix + "events"    // POST [EventsRequest]: 202
)

// The backend's API as the edge uses it. A path with {id} takes a session id.
const (
	EdgeLaunch     = "/api/v1/edge/launch"     // POST [LaunchRequest]: [LaunchAnswer]
	EdgeHeartbeats = "/api/v1/edge/heartbeats" // POST [HeartbeatsRequest]: [HeartbeatsAnswer]
	EdgeStates     = "/api/v1/edge/states"     // POST [StatesRequest]: [StatesAnswer]
	EdgeEvents     = "/api/v1/edge/events"     // GET: text/event-stream, see [StreamState]
	EdgeHosts      = "/api/v1/edge/hosts/"     // GET + host: [HostAnswer]

	Sessions  = "/api/v1/sessions"
	JWKS      = "/.well-known/jwks.json"
	PublicKey = "/api/v1/keys/public"
)

// Actions of a session, appended to [Sessions] + "/" + id + "/". The edge calls
// them with the session token as Bearer.
const (
	ActionLaunch    = "launch" // of a page without an edge before it
	ActionHeartbeat = "heartbeat"
	ActionExtend    = "extend"
	ActionPause     = "pause"
	ActionResume    = "resume"
	ActionEnd       = "end"
	ActionComplete  = "complete"
	ActionRevoke    = "revoke"
	ActionEvents    = "events"
)

// LaunchParam is the query parameter that carries a launch token to the edge.
const LaunchParam = "session"

// Header names that both sides must spell alike.
const (
	HeaderIdempotencyKey = "Idempotency-Key"
	HeaderRequestID      = "X-Request-Id"
)

// Status is where a session stands in its life.
type Status string

// The states of a session. [Status.Terminal] ones never change again.
const (
	Pending   Status = "pending"   // created, not yet entered; its clock stands still
	Active    Status = "active"    // running
	Paused    Status = "paused"    // stopped by the user, by the provider's leave
	Completed Status = "completed" // ended by the user or the marketplace
	Expired   Status = "expired"   // its deadline passed
	Revoked   Status = "revoked"   // ended by an operator or the marketplace
	Canceled  Status = "canceled"  // never entered; its hold was released
)

// Terminal reports whether a session in this state is over.
func (s Status) Terminal() bool {
	switch s {
	case Completed, Expired, Revoked, Canceled:
		return true
	}
	return false
}

// LiveState is all that an edge needs to know of a session to admit its
// requests, to cut them off, and to show its clock.
type LiveState struct {
	ID         string `json:"id"`
	UserID     string `json:"user_id"`
	ProviderID string `json:"provider_id"`
	Status     Status `json:"status"`
	// Grows by one with every change, so that late news never replaces newer.
	Version int64 `json:"version"`
	// When the session ends. Zero while pending. While paused, the moment it
	// would end if it resumed now is ExpiresAt + (now − PausedAt).
	ExpiresAt            int64  `json:"expires_at"`
	StartedAt            int64  `json:"started_at,omitempty"`
	PausedAt             int64  `json:"paused_at,omitempty"`
	DurationLimitSeconds int64  `json:"duration_limit_seconds"`
	TokensAllocated      int64  `json:"tokens_allocated"`
	ReturnURL            string `json:"return_url"`
	// Seconds before the end at which the user is warned, largest first.
	WarningSeconds []int64     `json:"warning_seconds,omitempty"`
	Extension      *Extension  `json:"extension,omitempty"`
	Pause          *PauseRight `json:"pause,omitempty"`
}

// Extension is the offer a marketplace made when it sold the session: how much
// more a user may buy from inside the provider's page.
type Extension struct {
	AdditionalSeconds int64 `json:"additional_seconds" minimum:"1" maximum:"86400"`
	Tokens            int64 `json:"tokens" minimum:"0" maximum:"1000000000"`
	MaxCount          int64 `json:"max_count" minimum:"1" maximum:"100"`
	// How many of MaxCount were taken.
	Used int64 `json:"used,omitempty" readOnly:"true"`
}

// PauseRight is what a provider's policy lets a user pause. Nil: nothing.
type PauseRight struct {
	MaxCount   int64 `json:"max_count" minimum:"0" maximum:"1000"`
	MaxSeconds int64 `json:"max_seconds" minimum:"0" maximum:"86400"`
	// How many pauses were taken.
	Used int64 `json:"used,omitempty" readOnly:"true"`
}
