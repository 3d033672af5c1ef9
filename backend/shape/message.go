package shape

import "time"

// Message is the body of a webhook message whose data is D.
type Message[D any] struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp" doc:"When the event happened, UTC"`
	Data      D         `json:"data"`
}

// SessionData is the data of a message about a session.
type SessionData struct {
	Session          SessionBody    `json:"session" doc:"The session after the event"`
	RemainingSeconds int64          `json:"remaining_seconds,omitempty" doc:"With session.warning: paid seconds left"`
	Extension        *ExtensionBody `json:"extension,omitempty" doc:"With session.extended: what was bought"`
	Test             bool           `json:"test,omitempty" doc:"Present in a test message, whose event did not happen"`
}

// DisabledData is the data of webhook.disabled.
type DisabledData struct {
	WebhookID    string `json:"webhook_id" doc:"The webhook that was disabled"`
	URL          string `json:"url"`
	Reason       string `json:"reason" enum:"gone,failing" doc:"gone: the receiver answered 410. failing: every attempt failed for five days"`
	FailingSince int64  `json:"failing_since"`
}

// TestData is the data of webhook.test.
type TestData struct {
	WebhookID string `json:"webhook_id"`
	Test      bool   `json:"test"`
}
