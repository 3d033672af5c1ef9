package protocol

import "net/http"

// statuses is the HTTP status of each code, and the only such table.
var statuses = map[Code]int{
	SessionMissing:     http.StatusUnauthorized,
	SessionInvalid:     http.StatusUnauthorized,
	SessionExpired:     http.StatusUnauthorized,
	SessionCompleted:   http.StatusUnauthorized,
	SessionRevoked:     http.StatusUnauthorized,
	SessionCanceled:    http.StatusUnauthorized,
	SessionPaused:      http.StatusLocked,
	SessionPending:     http.StatusConflict,
	LaunchSpent:        http.StatusConflict,
	LaunchInvalid:      http.StatusUnauthorized,
	LaunchExpired:      http.StatusUnauthorized,
	WrongProvider:      http.StatusForbidden,
	BackendUnavailable: http.StatusServiceUnavailable,
	CrossSite:          http.StatusForbidden,
	OriginUnavailable:  http.StatusBadGateway,
	HostUnknown:        http.StatusNotFound,

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
	RateLimited:         http.StatusTooManyRequests,
	TooLarge:            http.StatusRequestEntityTooLarge,
	Unavailable:         http.StatusServiceUnavailable,
	Internal:            http.StatusInternalServerError,
}

// StatusOf returns the HTTP status of a code, 500 for one that it does not
// know. [InvalidRequest] is 422; where the request cannot even be read, the
// answer is 400, 405 or 415 with the same code.
func StatusOf(c Code) int {
	if status, known := statuses[c]; known {
		return status
	}
	return http.StatusInternalServerError
}

// BackendCodes lists the codes that the backend's API answers.
func BackendCodes() []Code {
	return []Code{
		Unauthorized, Forbidden, NotFound, InvalidRequest, InsufficientTokens, ConsentRequired, IdempotencyConflict,
		IllegalTransition, PauseNotAllowed, ReturnNotAllowed, TokenInvalid, TokenMismatch, AlreadyExists, RateLimited,
		TooLarge, Unavailable, Internal,
		SessionPending, SessionPaused, SessionExpired, SessionCompleted, SessionRevoked, SessionCanceled,
		LaunchSpent, LaunchInvalid, LaunchExpired, WrongProvider, HostUnknown,
	}
}
