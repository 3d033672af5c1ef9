package api

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// problemOf maps an error to the problem that the caller receives. It is the only
// place that maps errors to HTTP.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	r := service.Explain(err)
	p := newProblem(r.Code, r.Detail)
	switch r.Code {
	case protocol.SessionExpired, protocol.SessionCompleted, protocol.SessionRevoked, protocol.SessionCanceled:
		// The gate answers 401 with these codes because the page must not be shown.
		// Here the caller is authenticated, and the session's state does not allow the
		// action.
		p.Status, p.Title = http.StatusConflict, http.StatusText(http.StatusConflict)
	}
	p.ReturnURL, p.ConsentURL, p.SessionID = r.ReturnURL, r.ConsentURL, r.SessionID
	if w, ok := errors.AsType[*service.WaitError](err); ok {
		p.wait = w.Wait
	}
	return p
}

// problem is a [protocol.Problem] as huma writes it.
type problem struct {
	protocol.Problem
	Errors []fieldError `json:"errors,omitempty" doc:"Errors by field"`

	wait time.Duration // until a retry can succeed; 0: unknown
}

// TransformSchema implements [huma.SchemaTransformer]: the document lists the codes.
func (p *problem) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema { return withCodes(s) }

// withCodes lists the codes that the API answers in the schema of a refusal.
func withCodes(s *huma.Schema) *huma.Schema {
	if code := s.Properties["code"]; code != nil {
		for _, c := range protocol.BackendCodes() {
			code.Enum = append(code.Enum, string(c))
		}
		code.PrecomputeMessages()
	}
	return s
}

// fieldError is one error in a request. It never contains the value.
type fieldError struct {
	Location string `json:"location,omitempty" doc:"The field, such as body.user_id"`
	Message  string `json:"message" doc:"What is wrong with the field"`
}

func newProblem(code protocol.Code, detail string) *problem {
	status := protocol.StatusOf(code)
	return &problem{Problem: protocol.Problem{Title: http.StatusText(status), Status: status, Detail: detail, Code: code}}
}

// GetStatus implements [huma.StatusError].
func (p *problem) GetStatus() int { return p.Status }

// ContentType implements [huma.ContentTypeFilter].
func (p *problem) ContentType(string) string { return protocol.ProblemType }

// GetHeaders implements [huma.HeadersError]. It returns the headers that p's
// status requires. Every response that reports p has them.
func (p *problem) GetHeaders() http.Header {
	h := http.Header{}
	switch {
	case p.Status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case p.Status == http.StatusTooManyRequests, p.Status == http.StatusServiceUnavailable, p.wait > 0:
		seconds := (max(p.wait, time.Second) + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	return h
}

// write sends p as a response of its own, outside of huma.
func (p *problem) write(w http.ResponseWriter) {
	h := w.Header()
	maps.Copy(h, p.GetHeaders())
	h.Set("Content-Type", protocol.ProblemType)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	w.Write(p.JSON()) // an error here means that the client has disconnected
}

// codesOfFrame are the codes of the errors that huma returns itself.
var codesOfFrame = map[int]protocol.Code{
	400: protocol.InvalidRequest, 404: protocol.NotFound, 405: protocol.InvalidRequest,
	406: protocol.InvalidRequest, 408: protocol.Unavailable, 413: protocol.TooLarge,
	415: protocol.InvalidRequest, 422: protocol.InvalidRequest,
}

// ownProblems is the [huma.Transformer] that turns huma's own errors into
// problems: with a code, and without the offending values, which may be secrets.
func ownProblems(_ huma.Context, _ string, body any) (any, error) {
	e, ok := body.(*huma.ErrorModel)
	if !ok {
		return body, nil
	}
	code, known := codesOfFrame[e.Status]
	if !known {
		code = protocol.Internal
	}
	p := newProblem(code, "")
	p.Status, p.Title = e.Status, http.StatusText(e.Status)
	if e.Status < 500 {
		p.Detail = sentence(e.Detail)
	}
	if e.Status == http.StatusUnsupportedMediaType {
		p.Detail = "Send the body as JSON, with Content-Type: application/json."
		return p, nil
	}
	for _, d := range e.Errors {
		switch {
		case d == nil:
		case d.Location != "":
			p.Errors = append(p.Errors, fieldError{Location: d.Location, Message: d.Message})
		case e.Status == http.StatusUnprocessableEntity: // the message is a decoder's, which quotes
			p.Errors = append(p.Errors, fieldError{Message: "the body is not valid JSON for this request"})
		}
	}
	return p, nil
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// JSON returns p as a response body.
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
