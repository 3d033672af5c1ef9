package marketplace

// Balance is what a user has: to spend, and set aside for sessions that have
// not settled.
type Balance struct {
	Available int64 `json:"available"`
	Held      int64 `json:"held"`
}

// NewSession is the body of a sale.
type NewSession struct {
	UserID               string `json:"user_id"`
	ProviderID           string `json:"provider_id"`
	TokensAllocated      int64  `json:"tokens_allocated"`
	DurationLimitSeconds int64  `json:"duration_limit_seconds"`
	ReturnURL            string `json:"return_url"`
	// Where the user may agree to more than Extension offers.
	ConsentURL string `json:"consent_url,omitempty"`
	// When the paid time starts: creation or launch.
	Clock     string      `json:"clock,omitempty"`
	Extension *Extendable `json:"extension,omitempty"`
}

// Extendable is an [Extension] as the API spells it.
type Extendable struct {
	AdditionalSeconds int64 `json:"additional_seconds"`
	Tokens            int64 `json:"tokens"`
	MaxCount          int64 `json:"max_count"`
	Used              int64 `json:"used,omitempty"`
}

// Sale is a session just created. LaunchURL lets its bearer in once: it goes
// to the buyer's browser and nowhere else.
type Sale struct {
	Session   Session `json:"session"`
	LaunchURL string  `json:"launch_url"`
}

// Session is the paid, timed right of one user to use one app. Times are Unix
// seconds; zero means not yet.
type Session struct {
	ID                   string      `json:"id"`
	UserID               string      `json:"user_id"`
	ProviderID           string      `json:"provider_id"`
	Status               string      `json:"status"`
	TokensAllocated      int64       `json:"tokens_allocated"`
	DurationLimitSeconds int64       `json:"duration_limit_seconds"`
	Clock                string      `json:"clock"`
	CreatedAt            int64       `json:"created_at"`
	StartedAt            int64       `json:"started_at"`
	EnteredAt            int64       `json:"entered_at"`
	Unentered            string      `json:"unentered"` // capture or release
	Purchases            []Purchase  `json:"purchases"`
	PausedAt             int64       `json:"paused_at"`
	ExpiresAt            int64       `json:"expires_at"`
	EndedAt              int64       `json:"ended_at"`
	Extension            *Extendable `json:"extension"`
	Settlement           *Settlement `json:"settlement"`
}

// Purchase is the sale or an extension. Each is settled by itself, at its own price.
type Purchase struct {
	Kind        string `json:"kind"` // sale or extension
	Seconds     int64  `json:"seconds"`
	Tokens      int64  `json:"tokens"`
	UsedSeconds int64  `json:"used_seconds"`
	Captured    int64  `json:"captured"`
	Released    int64  `json:"released"`
}

// Settlement is the one moment a session ended, and what became of its hold.
type Settlement struct {
	Captured int64 `json:"captured"`
	Released int64 `json:"released"`
	// Paid seconds that had begun.
	UsedSeconds int64  `json:"used_seconds"`
	Reason      string `json:"reason"`
	SettledAt   int64  `json:"settled_at"`
}

// Event is something that happened to a session. Of its detail, only what an
// extension says is read.
type Event struct {
	AtMS   int64  `json:"at_ms"`
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Detail struct {
		By      string `json:"by"`
		Seconds int64  `json:"seconds"`
	} `json:"detail"`
}

// Over reports whether the session has ended for good.
func (s Session) Over() bool {
	switch s.Status {
	case "completed", "expired", "revoked", "canceled":
		return true
	}
	return false
}

// Running reports whether the user may be in the app: the session has begun
// and not ended.
func (s Session) Running() bool { return s.Status == "active" || s.Status == "paused" }

// Entry is one movement in a user's ledger. Amount is positive; Kind says from
// where to where:
//
//	credit   new tokens, to spend
//	hold     from what the user may spend to what is set aside
//	capture  from what is set aside to the provider
//	release  from what is set aside back to what the user may spend
type Entry struct {
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	Amount    int64  `json:"amount"`
	SessionID string `json:"session_id"`
	// The provider of that session.
	ProviderID string `json:"provider_id"`
	At         int64  `json:"at"`
}
