package protocol

import (
	"encoding/json"
	"net/http"
)

// ProblemType is the media type of every error body.
const ProblemType = "application/problem+json"

// Problem is the body of every error response (RFC 9457).
type Problem struct {
	Type   string `json:"type,omitempty"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// What went wrong and how to fix it, as text for people. It never contains a
	// secret.
	Detail string `json:"detail,omitempty"`
	// A stable code for programs.
	Code Code `json:"code"`
	// The URL where the user can continue, if the session has one.
	ReturnURL string `json:"return_url,omitempty"`
	// The URL where the user can agree to spend more. Set with [ConsentRequired].
	ConsentURL string `json:"consent_url,omitempty"`
	// The id of the session, if the caller may see it.
	SessionID string `json:"session_id,omitempty"`
	// After how many seconds a retry can succeed, as in Retry-After; 0: unknown.
	RetryAfter int `json:"-"`
}

// Error implements error. It returns only the code, because the other fields may quote
// input.
func (p *Problem) Error() string { return string(p.Code) }

// JSON returns p as a response body.
func (p *Problem) JSON() []byte {
	b, err := json.Marshal(p)
	if err != nil { // strings and one int: cannot fail
		return []byte(`{"title":"Internal error","status":500,"code":"internal"}`)
	}
	return b
}

// Code identifies an error for programs. The meaning of a code never changes.
type Code string

// Codes of the gate: the reasons why it refuses a request. The backend's API answers
// with status 409 and the codes of ended sessions, because it has authenticated the
// caller.
const (
	SessionMissing     Code = "session_missing"     // 401: no cookie, or one that this service did not issue
	SessionInvalid     Code = "session_invalid"     // 401: token that is forged, malformed or from another issuer
	SessionExpired     Code = "session_expired"     // 401
	SessionCompleted   Code = "session_completed"   // 401
	SessionRevoked     Code = "session_revoked"     // 401
	SessionCanceled    Code = "session_canceled"    // 401: the launch window passed
	SessionMoved       Code = "session_moved"       // 401: the session was opened anew; this token is void
	SessionPaused      Code = "session_paused"      // 423
	SessionPending     Code = "session_pending"     // 409: not launched yet
	LaunchSpent        Code = "launch_spent"        // 409: the session is already open in another browser
	AnotherSession     Code = "another_session"     // 409: the browser has another live session; its person is asked first
	LaunchInvalid      Code = "launch_invalid"      // 401
	LaunchExpired      Code = "launch_expired"      // 401
	WrongProvider      Code = "wrong_provider"      // 403: the token is for another provider's site
	BackendUnavailable Code = "backend_unavailable" // 503, with Retry-After
	CrossSite          Code = "cross_site"          // 403: only the site's own pages may call the gate's API
	OriginUnavailable  Code = "origin_unavailable"  // 502
	HostUnknown        Code = "host_unknown"        // 404
	InMaintenance      Code = "maintenance"         // 503: the provider has closed its site for a while; clocks stand still
)

// Codes of the backend's API.
const (
	Unauthorized        Code = "unauthorized"           // 401: no key, or an unknown one
	Forbidden           Code = "forbidden"              // 403: the key's role may not do this
	NotFound            Code = "not_found"              // 404: it does not exist, or belongs to another provider
	InvalidRequest      Code = "invalid_request"        // 400, 422: the body describes the error
	InsufficientTokens  Code = "insufficient_tokens"    // 402
	ConsentRequired     Code = "consent_required"       // 403, with consent_url
	IdempotencyConflict Code = "idempotency_conflict"   // 409: same key, another body
	IllegalTransition   Code = "illegal_transition"     // 409: the session's state does not allow the action
	PauseNotAllowed     Code = "pause_not_allowed"      // 403: the provider's policy does not allow pauses
	ReturnNotAllowed    Code = "return_url_not_allowed" // 422: the URL's host is not registered
	TokenInvalid        Code = "token_invalid"          // 401: the Bearer JWT does not verify
	TokenMismatch       Code = "token_mismatch"         // 401: the JWT is another session's
	AlreadyExists       Code = "already_exists"         // 409
	DomainNotProven     Code = "domain_not_proven"      // 409: no DNS record proves the app's domain
	RateLimited         Code = "rate_limited"           // 429, with Retry-After
	ProviderFull        Code = "provider_full"          // 409: the provider has as many sessions as it allows at once
	LimitReached        Code = "limit_reached"          // 409: the session has used up a limit; waiting does not help
	TooLarge            Code = "too_large"              // 413
	Unavailable         Code = "unavailable"            // 503, with Retry-After
	Internal            Code = "internal"               // 500
)

// CodeOf returns the code with which a session in state s is refused, or "" if it is
// live.
func CodeOf(s Status) Code {
	switch s {
	case Active:
		return ""
	case Paused:
		return SessionPaused
	case Pending:
		return SessionPending
	case Completed:
		return SessionCompleted
	case Revoked:
		return SessionRevoked
	case Canceled:
		return SessionCanceled
	}
	return SessionExpired
}

// statuses maps each code to its HTTP status. It is the only such table.
var statuses = map[Code]int{
	SessionMissing:     http.StatusUnauthorized,
	SessionInvalid:     http.StatusUnauthorized,
	SessionExpired:     http.StatusUnauthorized,
	SessionCompleted:   http.StatusUnauthorized,
	SessionRevoked:     http.StatusUnauthorized,
	SessionCanceled:    http.StatusUnauthorized,
	SessionMoved:       http.StatusUnauthorized,
	SessionPaused:      http.StatusLocked,
	SessionPending:     http.StatusConflict,
	LaunchSpent:        http.StatusConflict,
	AnotherSession:     http.StatusConflict,
	LaunchInvalid:      http.StatusUnauthorized,
	LaunchExpired:      http.StatusUnauthorized,
	WrongProvider:      http.StatusForbidden,
	BackendUnavailable: http.StatusServiceUnavailable,
	CrossSite:          http.StatusForbidden,
	OriginUnavailable:  http.StatusBadGateway,
	HostUnknown:        http.StatusNotFound,
	InMaintenance:      http.StatusServiceUnavailable,

	Unauthorized:        http.StatusUnauthorized,
	Forbidden:           http.StatusForbidden,
	NotFound:            http.StatusNotFound,
	InvalidRequest:      http.StatusUnprocessableEntity,
	InsufficientTokens:  http.StatusPaymentRequired,
	ConsentRequired:     http.StatusForbidden,
	IdempotencyConflict: http.StatusConflict,
	IllegalTransition:   http.StatusConflict,
	PauseNotAllowed:     http.StatusForbidden,
	ReturnNotAllowed:    http.StatusUnprocessableEntity,
	TokenInvalid:        http.StatusUnauthorized,
	TokenMismatch:       http.StatusUnauthorized,
	AlreadyExists:       http.StatusConflict,
	DomainNotProven:     http.StatusConflict,
	RateLimited:         http.StatusTooManyRequests,
	ProviderFull:        http.StatusConflict,
	LimitReached:        http.StatusConflict,
	TooLarge:            http.StatusRequestEntityTooLarge,
	Unavailable:         http.StatusServiceUnavailable,
	Internal:            http.StatusInternalServerError,
}

// BackendCodes lists the codes that the backend's API returns.
func BackendCodes() []Code {
	return []Code{
		Unauthorized, Forbidden, NotFound, InvalidRequest, InsufficientTokens, ConsentRequired, IdempotencyConflict,
		IllegalTransition, PauseNotAllowed, ReturnNotAllowed, TokenInvalid, TokenMismatch, AlreadyExists, DomainNotProven, RateLimited, LimitReached,
		ProviderFull, InMaintenance,
		TooLarge, Unavailable, Internal,
		SessionPending, SessionPaused, SessionExpired, SessionCompleted, SessionRevoked, SessionCanceled, SessionMoved,
		LaunchSpent, LaunchInvalid, LaunchExpired, WrongProvider, HostUnknown,
	}
}

// StatusOf returns the HTTP status of a code, or 500 for an unknown code. The status of
// [InvalidRequest] is 422. If a request cannot be read at all, the response has the
// same code with status 400, 405 or 415.
func StatusOf(c Code) int {
	if status, known := statuses[c]; known {
		return status
	}
	return http.StatusInternalServerError
}
