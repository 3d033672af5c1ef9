package backend

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// refusal is a use case's no, with what the caller needs to go on.
type refusal struct {
	code       protocol.Code
	detail     string
	returnURL  string
	consentURL string
	sessionID  string
	cause      error // for the log; never sent
}

func (r *refusal) Error() string {
	if r.cause != nil {
		return string(r.code) + ": " + r.cause.Error()
	}
	return string(r.code)
}

func (r *refusal) Unwrap() error { return r.cause }

func refuse(code protocol.Code, detail string) *refusal { return &refusal{code: code, detail: detail} }

// problemOf turns an error into what its caller is told. It is the only place
// where errors become HTTP. Unknown ones become 500 and say nothing.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		p := newProblem(r.code, r.detail)
		p.ReturnURL, p.ConsentURL, p.SessionID = r.returnURL, r.consentURL, r.sessionID
		return p
	}
	if e, ok := errors.AsType[*session.IllegalError](err); ok {
		return newProblem(protocol.IllegalTransition, "The session is "+string(e.From)+": it cannot "+e.Event+".")
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return newProblem(protocol.NotFound, "There is no such thing here.")
	case errors.Is(err, store.ErrLive):
		return newProblem(protocol.IllegalTransition, "The user has sessions that are not over. End them first.")
	case errors.Is(err, ErrEmail):
		return newProblem(protocol.InvalidRequest, "That is no e-mail address.")
	case errors.Is(err, ErrRole):
		return newProblem(protocol.InvalidRequest, "A key's role is provider, with a provider_id, or marketplace, edge or admin, without one.")
	case errors.Is(err, ErrPersonRole):
		return newProblem(protocol.InvalidRequest, "A person's role is provider, with a provider_id, or admin, without one.")
	case errors.Is(err, store.ErrTaken):
		return newProblem(protocol.AlreadyExists, "That is there already: an id, a domain or a person's role belongs to somebody.")
	case errors.Is(err, store.ErrKeyReused):
		return newProblem(protocol.IdempotencyConflict, "This Idempotency-Key came before, with another request. Use a new key.")
	case errors.Is(err, ledger.ErrInsufficient):
		return newProblem(protocol.InsufficientTokens, "The user has too few tokens available.")
	case errors.Is(err, ledger.ErrAmount), errors.Is(err, session.ErrTerms), errors.Is(err, session.ErrRefund):
		return newProblem(protocol.InvalidRequest, "A figure is out of range.")
	case errors.Is(err, session.ErrPause):
		return newProblem(protocol.PauseNotAllowed, "The provider's policy allows no further pause.")
	case errors.Is(err, coord.ErrDown):
		return newProblem(protocol.Unavailable, "There is no stream just now. Ask by heartbeats until it is back.")
	case store.Unkeepable(err):
		return newProblem(protocol.InvalidRequest, "A text of the request has a zero byte, or is not UTF-8.")
	case store.Unavailable(err):
		return newProblem(protocol.Unavailable, "The database does not answer just now. Try again.")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return newProblem(protocol.Unavailable, "The request took too long. Try again.")
	}
	return newProblem(protocol.Internal, "Something went wrong on our side. The log has it under this request's id.")
}

// problem is a [protocol.Problem] as huma writes it.
type problem struct {
	protocol.Problem
	Errors []fieldError `json:"errors,omitempty" doc:"What is wrong with the request, field by field"`
}

// fieldError is one thing wrong with a request. It never quotes the value.
type fieldError struct {
	Location string `json:"location,omitempty" doc:"Where, as in body.user_id"`
	Message  string `json:"message" doc:"What is wrong there"`
}

func newProblem(code protocol.Code, detail string) *problem {
	status := protocol.StatusOf(code)
	return &problem{Problem: protocol.Problem{Title: http.StatusText(status), Status: status, Detail: detail, Code: code}}
}

// GetStatus implements [huma.StatusError].
func (p *problem) GetStatus() int { return p.Status }

// ContentType implements [huma.ContentTypeFilter].
func (p *problem) ContentType(string) string { return protocol.ProblemType }

// huma makes its own errors by a package variable. Ours replaces it: with a
// code, and without the offending values, which may be secrets.
func init() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		code, ok := map[int]protocol.Code{
			400: protocol.InvalidRequest, 404: protocol.NotFound, 405: protocol.InvalidRequest,
			406: protocol.InvalidRequest, 408: protocol.Unavailable, 413: protocol.TooLarge,
			415: protocol.InvalidRequest, 422: protocol.InvalidRequest,
		}[status]
		if !ok {
			code = protocol.Internal
		}
		p := newProblem(code, "")
		p.Status, p.Title = status, http.StatusText(status)
		if status < 500 && status != 0 {
			p.Detail = sentence(message)
		}
		if status == http.StatusUnsupportedMediaType {
			p.Detail = "Send the body as JSON, with Content-Type: application/json."
			return p
		}
		for _, err := range errs {
			var d *huma.ErrorDetail
			switch {
			case err == nil:
			case errors.As(err, &d):
				p.Errors = append(p.Errors, fieldError{Location: d.Location, Message: d.Message})
			case status == 422:
				p.Errors = append(p.Errors, fieldError{Message: "the body cannot be read"})
			}
		}
		return p
	}
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// JSON is p's body.
func (p *problem) JSON() []byte {
	if len(p.Errors) == 0 {
		return p.Problem.JSON()
	}
	body, err := json.Marshal(p)
	if err != nil { // strings and one int: cannot fail
		return p.Problem.JSON()
	}
	return body
}
