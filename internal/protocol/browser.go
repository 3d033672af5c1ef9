package protocol

// SessionAnswer is what the page may know of its session. It names no user.
type SessionAnswer struct {
	Session      SessionView `json:"session"`
	ServerTimeMS int64       `json:"server_time_ms"`
}

// SessionView is a [LiveState] without what a page need not know.
type SessionView struct {
	ID                   string           `json:"id"`
	ProviderID           string           `json:"provider_id"`
	Status               Status           `json:"status" enum:"pending,active,paused,completed,expired,revoked,canceled"`
	Version              int64            `json:"version"`
	ExpiresAt            int64            `json:"expires_at"`
	PausedAt             int64            `json:"paused_at,omitempty"`
	DurationLimitSeconds int64            `json:"duration_limit_seconds"`
	TokensAllocated      int64            `json:"tokens_allocated"`
	ReturnURL            string           `json:"return_url"`
	SettlementPolicy     SettlementPolicy `json:"settlement_policy,omitempty"`
	WarningSeconds       []int64          `json:"warning_seconds,omitempty"`
	Extension            *Extension       `json:"extension,omitempty"`
	Pause                *PauseRight      `json:"pause,omitempty"`
}

// View is the part of s that its page may see.
func (s *LiveState) View() SessionView {
	return SessionView{
		ID: s.ID, ProviderID: s.ProviderID, Status: s.Status, Version: s.Version,
		ExpiresAt: s.ExpiresAt, PausedAt: s.PausedAt,
		DurationLimitSeconds: s.DurationLimitSeconds, TokensAllocated: s.TokensAllocated,
		ReturnURL: s.ReturnURL, SettlementPolicy: s.SettlementPolicy, WarningSeconds: s.WarningSeconds,
		Extension: s.Extension, Pause: s.Pause,
	}
}

// HeartbeatRequest is a page's sign of life. Timestamp is the browser's clock
// in milliseconds and is only recorded.
type HeartbeatRequest struct {
	Timestamp int64 `json:"timestamp,omitempty"`
	Active    bool  `json:"active,omitempty"`
}

// HeartbeatAnswer tells a page how long it has.
type HeartbeatAnswer struct {
	Acknowledged     bool   `json:"acknowledged"`
	RemainingSeconds int64  `json:"remaining_seconds"`
	Status           Status `json:"status" enum:"pending,active,paused,completed,expired,revoked,canceled"`
	Version          int64  `json:"version"`
	ExpiresAt        int64  `json:"expires_at"`
	ServerTimeMS     int64  `json:"server_time_ms"`
}

// ExtendRequest buys more time. A zero body takes the session's own offer; a
// page may name the figures it showed, and is refused if the offer has others.
type ExtendRequest struct {
	AdditionalSeconds int64 `json:"additional_seconds,omitempty" minimum:"0" maximum:"86400"`
	TokensToDeduct    int64 `json:"tokens_to_deduct,omitempty" minimum:"0" maximum:"1000000000"`
}

// EventsRequest is a batch of what a page noticed. No personal data.
type EventsRequest struct {
	Events []PageEvent `json:"events" maxItems:"100"`
}

// PageEvent is one thing a page noticed.
type PageEvent struct {
	Name string `json:"name" maxLength:"64" pattern:"^[a-z0-9_.]+$"`
	// The browser's clock, in Unix milliseconds.
	At    int64             `json:"at"`
	Props map[string]string `json:"props,omitempty"`
}
