// Package protocol defines the protocol between the edge, the backend and the browser:
// paths, bodies, states and error codes. All sides use this one definition.
//
//	browser ── /.session-gate/… ──► edge ── /api/v1/edge/… ──► backend
//	                                  └──── /api/v1/sessions/{id}/… (the user's own session)
//
// All bodies are JSON in UTF-8 with snake_case names. Times are whole Unix
// seconds, except fields that end in _ms, which are Unix milliseconds. Amounts
// of tokens are integers. Errors are [Problem] documents (RFC 9457) with a
// stable code; see [Code].
package protocol

// The same-origin API, which the gate serves on the provider's own domain. Requests
// below [GatePrefix] never reach the origin.
const (
	GatePrefix    = "/.session-gate/"
	GateSession   = GatePrefix + "session"   // POST, or GET: [SessionAnswer]
	GateHeartbeat = GatePrefix + "heartbeat" // POST [HeartbeatRequest]: [HeartbeatAnswer]
	GateExtend    = GatePrefix + "extend"    // POST [ExtendRequest]: [SessionAnswer]
	GatePause     = GatePrefix + "pause"     // POST: [SessionAnswer]
	GateResume    = GatePrefix + "resume"    // POST: [SessionAnswer]; 303 for an HTML form
	GateEnd       = GatePrefix + "end"       // POST: [SessionAnswer]
	GateEvents    = GatePrefix + "events"    // POST [EventsRequest]: 202
	GateEnter     = GatePrefix + "enter"     // POST, an HTML form: 303; or [NativeEntryRequest]: [NativeEntryAnswer]
)

// The endpoints of the backend's API that edges use. Paths with {id} take a session id.
const (
	EdgeLaunch     = "/api/v1/edge/launch"     // POST [LaunchRequest]: [LaunchAnswer]
	EdgeHeartbeats = "/api/v1/edge/heartbeats" // POST [HeartbeatsRequest]: [HeartbeatsAnswer]
	EdgeStates     = "/api/v1/edge/states"     // POST [StatesRequest]: [StatesAnswer]
	EdgeEvents     = "/api/v1/edge/events"     // POST [StreamRequest], or GET: text/event-stream, see [StreamState]
	EdgeHosts      = "/api/v1/edge/hosts/"     // GET + host: [HostAnswer]
	EdgeSites      = "/api/v1/edge/sites"      // POST [SitesRequest]: [SitesAnswer]

	Sessions  = "/api/v1/sessions"
	JWKS      = "/.well-known/jwks.json"
	PublicKey = "/api/v1/keys/public"
)

// Actions on a session, appended to [Sessions] + "/" + id + "/". The edge calls them
// with the session token as the bearer token.
const (
	ActionLaunch    = "launch"   // called by pages without an edge
	ActionRelaunch  = "relaunch" // called by marketplaces
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

// Names of headers that both sides use.
const (
	HeaderIdempotencyKey = "Idempotency-Key"
	HeaderRequestID      = "X-Request-Id"
	// What an edge looks a host up for: [PurposeCertificate], or nothing for a request.
	HeaderPurpose = "Session-Gate-Purpose"
)

// PurposeCertificate is the value of [HeaderPurpose] before a certificate is obtained.
const PurposeCertificate = "certificate"

// Status is the state of a session.
type Status string

// The states of a session. A state for which [Status.Terminal] is true never changes.
const (
	Pending   Status = "pending"   // created but not launched; its clock does not run
	Active    Status = "active"    // running
	Paused    Status = "paused"    // stopped by the user, if the provider's policy allows it
	Completed Status = "completed" // ended by the user or the marketplace
	Expired   Status = "expired"   // its deadline passed
	Revoked   Status = "revoked"   // ended by an operator or the marketplace
	Canceled  Status = "canceled"  // never launched; its held tokens were released
)

// Terminal reports whether a session in this state is over.
func (s Status) Terminal() bool {
	switch s {
	case Completed, Expired, Revoked, Canceled:
		return true
	}
	return false
}

// LiveState is the state of a session that an edge needs to admit the session's
// requests, to end them, and to show the clock.
type LiveState struct {
	ID         string `json:"id"`
	UserID     string `json:"user_id"`
	ProviderID string `json:"provider_id"`
	Status     Status `json:"status" enum:"pending,active,paused,completed,expired,revoked,canceled"`
	// Increases by one with every change, so that an older state never replaces a newer
	// one.
	Version int64 `json:"version"`
	// When the session ends. Zero while it is pending. While it is paused, the session
	// would end at ExpiresAt + (now − PausedAt) if it resumed now.
	ExpiresAt            int64  `json:"expires_at"`
	StartedAt            int64  `json:"started_at,omitempty"`
	PausedAt             int64  `json:"paused_at,omitempty"`
	DurationLimitSeconds int64  `json:"duration_limit_seconds"`
	TokensAllocated      int64  `json:"tokens_allocated"`
	ReturnURL            string `json:"return_url"`
	// How a session that ends early is charged. Empty if the service is older than this
	// field.
	SettlementPolicy SettlementPolicy `json:"settlement_policy,omitempty" enum:"full,prorated"`
	// Seconds before the end at which the user is warned, in descending order.
	WarningSeconds []int64     `json:"warning_seconds,omitempty"`
	Extension      *Extension  `json:"extension,omitempty"`
	Pause          *PauseRight `json:"pause,omitempty"`
	// Why the clock stands still, if the session is paused because the app cannot be used:
	// maintenance. Its user cannot resume it.
	Standstill string `json:"standstill,omitempty" enum:"maintenance"`
	// Empty: live.
	Mode Mode `json:"mode,omitempty" enum:"live,test,staff,preview"`
	// How many new links the session was given. Tokens made before the last one are void.
	Relaunches int64 `json:"relaunches,omitempty"`
}

// Mode says what a session is for. Only live sessions count as revenue.
type Mode string

// The modes of a session.
const (
	LiveMode    Mode = "live"    // sold
	TestMode    Mode = "test"    // sold by a test key, from test balances
	StaffMode   Mode = "staff"   // opened by a pass of the provider's team
	PreviewMode Mode = "preview" // opened by a pass that shows the clock, the warning and the end
)

// SettlementPolicy determines how a session that ends early is charged.
type SettlementPolicy string

// The settlement policies. A session keeps the policy that its provider had at the
// sale.
const (
	SettlementFull     SettlementPolicy = "full"     // all tokens
	SettlementProrated SettlementPolicy = "prorated" // every second that has started; the rest is released
)

// Extension is the offer that a marketplace makes when it sells a session: how much
// more time the user can buy from inside the provider's page.
type Extension struct {
	AdditionalSeconds int64 `json:"additional_seconds" minimum:"1" maximum:"86400"`
	Tokens            int64 `json:"tokens" minimum:"0" maximum:"1000000000"`
	MaxCount          int64 `json:"max_count" minimum:"1" maximum:"100"`
	// How many extensions of MaxCount were bought.
	Used int64 `json:"used,omitempty"`
}

// PauseRight is the number and length of pauses that a provider's policy allows. Nil
// means that the user cannot pause.
type PauseRight struct {
	MaxCount   int64 `json:"max_count" minimum:"0" maximum:"1000"`
	MaxSeconds int64 `json:"max_seconds" minimum:"0" maximum:"86400"`
	// How many pauses were used.
	Used int64 `json:"used,omitempty"`
}
