package origin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
)

// Kind is what went wrong with a request to an origin.
type Kind string

// The kinds of failures.
const (
	Dial       Kind = "dial"       // no connection
	Handshake  Kind = "tls"        // no TLS connection
	Resting    Kind = "resting"    // not dialed, because dialing failed just before
	Busy       Kind = "busy"       // as many connections as are allowed are in use
	Timeout    Kind = "timeout"    // no response head within the time limit
	Closed     Kind = "closed"     // the connection ended before the response head did
	Malformed  Kind = "malformed"  // the response is not HTTP/1.1
	Incomplete Kind = "incomplete" // the connection ended in the middle of the body
	BadRequest Kind = "request"    // the request cannot be written as HTTP/1.1
	Client     Kind = "client"     // the client left, or its request was canceled
)

// Kinds are all kinds that count as failures of the origin.
func Kinds() []Kind {
	return []Kind{Dial, Handshake, Resting, Busy, Timeout, Closed, Malformed, Incomplete}
}

// Error is why a request got no whole response.
type Error struct {
	Kind Kind
	// The client has received the head of a response, so that the rest of it can only be
	// broken off.
	Begun bool
	Err   error
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("origin: %s: %v", e.Kind, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Status is the status of a response that reports e to the client. 499 stands for a client
// that left, as in other proxies' logs.
func (e *Error) Status() int {
	switch e.Kind {
	case Timeout:
		return http.StatusGatewayTimeout
	case Busy:
		return http.StatusServiceUnavailable
	case BadRequest:
		return http.StatusBadRequest
	case Client:
		return 499
	case Dial, Handshake:
		if isTimeout(e.Err) {
			return http.StatusGatewayTimeout
		}
	}
	return http.StatusBadGateway
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// malformed returns an error of that kind.
func malformed(format string, args ...any) error {
	return &Error{Kind: Malformed, Err: fmt.Errorf(format, args...)}
}
