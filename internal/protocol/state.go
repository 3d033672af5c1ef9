package protocol

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
	Status     Status `json:"status" enum:"pending,active,paused,completed,expired,revoked,canceled"`
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
	Used int64 `json:"used,omitempty"`
}

// PauseRight is what a provider's policy lets a user pause. Nil: nothing.
type PauseRight struct {
	MaxCount   int64 `json:"max_count" minimum:"0" maximum:"1000"`
	MaxSeconds int64 `json:"max_seconds" minimum:"0" maximum:"86400"`
	// How many pauses were taken.
	Used int64 `json:"used,omitempty"`
}
