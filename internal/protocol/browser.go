package protocol

// SessionAnswer is the part of a session that its page may read. It has no user id.
type SessionAnswer struct {
	Session      SessionView `json:"session"`
	ServerTimeMS int64       `json:"server_time_ms"`
	// How the provider wants its clock. Nil for the defaults.
	Site *SessionSite `json:"site,omitempty"`
}

// SessionView is a [LiveState] without the fields that a page does not need.
type SessionView struct {
	ID                   string           `json:"id"`
	ProviderID           string           `json:"provider_id"`
	Mode                 Mode             `json:"mode,omitempty" enum:"live,test,staff,preview"`
	Status               Status           `json:"status" enum:"pending,active,paused,completed,expired,revoked,canceled"`
	Version              int64            `json:"version"`
	ExpiresAt            int64            `json:"expires_at"`
	PausedAt             int64            `json:"paused_at,omitempty"`
	Standstill           string           `json:"standstill,omitempty" enum:"maintenance"`
	DurationLimitSeconds int64            `json:"duration_limit_seconds"`
	TokensAllocated      int64            `json:"tokens_allocated"`
	ReturnURL            string           `json:"return_url"`
	SettlementPolicy     SettlementPolicy `json:"settlement_policy,omitempty"`
	WarningSeconds       []int64          `json:"warning_seconds,omitempty"`
	Extension            *Extension       `json:"extension,omitempty"`
	Pause                *PauseRight      `json:"pause,omitempty"`
}

// View returns the part of s that the session's page may read.
func (s *LiveState) View() SessionView {
	return SessionView{
		ID: s.ID, ProviderID: s.ProviderID, Mode: s.Mode, Status: s.Status, Version: s.Version,
		ExpiresAt: s.ExpiresAt, PausedAt: s.PausedAt, Standstill: s.Standstill,
		DurationLimitSeconds: s.DurationLimitSeconds, TokensAllocated: s.TokensAllocated,
		ReturnURL: s.ReturnURL, SettlementPolicy: s.SettlementPolicy, WarningSeconds: s.WarningSeconds,
		Extension: s.Extension, Pause: s.Pause,
	}
}

// NativeEntryRequest enters a session without a browser. The answer is a
// [NativeEntryAnswer].
type NativeEntryRequest struct {
	LaunchToken string `json:"launch_token"`
}

// NativeEntryAnswer is an entered session and the session token that opens it, which the
// client sends as the bearer token of each request.
type NativeEntryAnswer struct {
	// In later answers only if the client must send another token from now on.
	SessionToken string `json:"session_token,omitempty"`
	SessionAnswer
}

// HeartbeatRequest is a heartbeat that a page sends. Timestamp is the browser's clock
// in milliseconds. It is recorded and has no other effect.
type HeartbeatRequest struct {
	Timestamp int64 `json:"timestamp,omitempty"`
	Active    bool  `json:"active,omitempty"`
}

// HeartbeatAnswer reports the session's state and its remaining time to the page.
type HeartbeatAnswer struct {
	Acknowledged     bool   `json:"acknowledged"`
	RemainingSeconds int64  `json:"remaining_seconds"`
	Status           Status `json:"status" enum:"pending,active,paused,completed,expired,revoked,canceled"`
	Version          int64  `json:"version"`
	ExpiresAt        int64  `json:"expires_at"`
	ServerTimeMS     int64  `json:"server_time_ms"`
}

// ExtendRequest buys more time. A request without values accepts the session's offer.
// If a page sends the values that it displayed, the request is refused when they differ
// from the offer.
type ExtendRequest struct {
	AdditionalSeconds int64 `json:"additional_seconds,omitempty" minimum:"0" maximum:"86400"`
	TokensToDeduct    int64 `json:"tokens_to_deduct,omitempty" minimum:"0" maximum:"1000000000"`
}

// EventsRequest is a batch of events that a page recorded. It contains no personal
// data.
type EventsRequest struct {
	Events []PageEvent `json:"events" maxItems:"100"`
}

// PageEvent is one event that a page recorded.
type PageEvent struct {
	Name string `json:"name" maxLength:"64" pattern:"^[a-z0-9_.]+$"`
	// The browser's clock, in Unix milliseconds.
	At    int64             `json:"at"`
	Props map[string]string `json:"props,omitempty"`
}
