package protocol

// The same-origin API, served by the gate on the provider's own domain. Nothing
// below [GatePrefix] ever reaches the origin.
const (
	GatePrefix    = "/.session-gate/"
	GateSession   = GatePrefix + "session"   // GET: [SessionAnswer]
	GateHeartbeat = GatePrefix + "heartbeat" // POST [HeartbeatRequest]: [HeartbeatAnswer]
	GateExtend    = GatePrefix + "extend"    // POST [ExtendRequest]: [SessionAnswer]
	GatePause     = GatePrefix + "pause"     // POST: [SessionAnswer]
	GateResume    = GatePrefix + "resume"    // POST: [SessionAnswer]
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
