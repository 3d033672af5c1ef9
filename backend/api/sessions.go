package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/backend/shape"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// Idempotent is the header that every write accepts. It is exported because huma skips
// unexported embedded structs.
type Idempotent struct {
	Key string `header:"Idempotency-Key" maxLength:"255" pattern:"^[!-~]+$" doc:"Makes retries within 24 hours safe: the request takes effect once"`
}

// request returns the description of a write for package service.
func (i Idempotent) request(ctx context.Context, operation, target string, body any) (service.Request, error) {
	c := callerOf(ctx)
	req, err := service.NewRequest(c.Scope, i.Key, operation, target, body)
	req = req.From(c)
	if c.Role == service.RoleAdmin {
		req = recorded(ctx, req)
	}
	return req, err
}

// recorded returns r with the caller as its actor, so that it is recorded in the audit
// log.
func recorded(ctx context.Context, r service.Request) service.Request {
	r.Actor, r.ID = callerOf(ctx).KeyID, requestID(ctx)
	return r
}

type createBody struct {
	UserID               string     `json:"user_id" minLength:"1" maxLength:"128" pattern:"^\\.*[A-Za-z0-9_:@|+-][A-Za-z0-9._:@|+-]*$" example:"user_7" doc:"Letters, digits and . _ : @ | + -, and not only dots"`
	ProviderID           string     `json:"provider_id" minLength:"1" maxLength:"128" pattern:"^[A-Za-z0-9_-]+$" example:"prov_demo"`
	TokensAllocated      int64      `json:"tokens_allocated" minimum:"0" maximum:"1000000000" example:"500"`
	DurationLimitSeconds int64      `json:"duration_limit_seconds" minimum:"1" maximum:"2678400" example:"3600"`
	ReturnURL            string     `json:"return_url" minLength:"1" maxLength:"2048" format:"uri" example:"https://market.example/done" doc:"Where the user goes when the session ends. Its host must be in the provider's return_hosts"`
	Clock                string     `json:"clock,omitempty" enum:"creation,launch" doc:"When the paid clock starts. Default: creation"`
	Unentered            string     `json:"unentered,omitempty" enum:"capture,release" doc:"What the session costs if nobody enters it. capture: it is charged like any other. release: it is canceled at its end and all tokens are released. Default: capture with clock creation, release with clock launch, where capture is refused"`
	Extension            *offerBody `json:"extension,omitempty" doc:"How much time the user may buy from within the provider's page"`
	ConsentURL           string     `json:"consent_url,omitempty" maxLength:"2048" format:"uri" doc:"Where the user can consent to extensions beyond the offer. Its host must be in the provider's return_hosts. Default: return_url"`
}

// offerBody is the extension that a marketplace offers.
type offerBody struct {
	AdditionalSeconds int64 `json:"additional_seconds" minimum:"1" maximum:"86400" example:"300"`
	Tokens            int64 `json:"tokens" minimum:"0" maximum:"1000000000" example:"50"`
	MaxCount          int64 `json:"max_count" minimum:"1" maximum:"100" example:"2"`
}

type createInput struct {
	Idempotent
	Body createBody
}

func (a *api) routeSessions() {
	register(a, route{
		method: http.MethodPost, path: protocol.Sessions, id: "create-session", tag: "Sessions", status: http.StatusCreated, test: true,
		summary: "Sell a session", roles: []service.Role{service.RoleMarketplace}, errors: []int{402, 409},
	}, a.create)
	register(a, route{
		method: http.MethodGet, path: protocol.Sessions, id: "list-sessions", expensive: true, test: true, tag: "Sessions",
		summary: "List sessions, newest first", roles: []service.Role{service.RoleMarketplace, service.RoleProvider},
	}, a.list)
	register(a, route{
		method: http.MethodGet, path: protocol.Sessions + "/{id}", id: "get-session", test: true, tag: "Sessions",
		summary: "Read a session", roles: []service.Role{service.RoleMarketplace, service.RoleProvider, service.RoleAdmin}, errors: []int{404},
	}, a.read)
	a.routeTimeline()
	a.routeValidate()
}

func (a *api) create(ctx context.Context, in *createInput) (*createOutput, error) {
	req, err := in.request(ctx, "create-session", "", in.Body)
	if err != nil {
		return nil, err
	}
	b := in.Body
	subject, err := callerOf(ctx).Subject(b.UserID)
	if err != nil {
		return nil, err
	}
	o := service.Order{
		UserID: subject, ProviderID: b.ProviderID, Tokens: b.TokensAllocated, Seconds: b.DurationLimitSeconds,
		ReturnURL: b.ReturnURL, ConsentURL: b.ConsentURL, Clock: b.Clock, Unentered: b.Unentered,
	}
	if e := b.Extension; e != nil {
		o.Extension = &protocol.Extension{AdditionalSeconds: e.AdditionalSeconds, Tokens: e.Tokens, MaxCount: e.MaxCount}
	}
	if b.ConsentURL != "" && !service.IsHTTP(b.ConsentURL) {
		return nil, service.Refuse(protocol.InvalidRequest, "consent_url must be an http:// or https:// URL.")
	}
	sold, err := a.s.Sell(ctx, req, o)
	if err != nil {
		return nil, err
	}
	return linked(ctx, sold), nil
}

type listInput struct {
	ModeQuery
	ProviderID string `query:"provider_id" maxLength:"128"`
	UserID     string `query:"user_id" maxLength:"200"`
	Status     string `query:"status" enum:"pending,active,paused,completed,expired,revoked,canceled"`
	Cursor     string `query:"cursor" maxLength:"64" pattern:"^[0-9a-f-]+$" doc:"next_cursor of the previous page"`
	Limit      int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type listOutput struct {
	Body struct {
		Sessions   []shape.SessionBody `json:"sessions" nullable:"false"`
		NextCursor string              `json:"next_cursor,omitempty" doc:"Cursor of the next page; absent on the last page"`
	}
}

func (a *api) list(ctx context.Context, in *listInput) (*listOutput, error) {
	c, mode, err := in.reading(ctx)
	if err != nil {
		return nil, err
	}
	if c.Role == service.RoleMarketplace && (mode == service.StaffMode || mode == service.PreviewMode) {
		out := &listOutput{} // a marketplace sells none of these
		out.Body.Sessions = []shape.SessionBody{}
		return out, nil
	}
	f := service.SessionFilter{
		MarketplaceID: c.MarketplaceID, ProviderID: in.ProviderID, Mode: mode, Status: service.Status(in.Status), Before: in.Cursor,
	}
	if in.UserID != "" {
		if f.UserID, err = c.Subject(in.UserID); err != nil {
			return nil, err
		}
	}
	if c.Role == service.RoleProvider {
		if in.ProviderID != "" && in.ProviderID != c.ProviderID {
			return nil, service.ErrNotFound
		}
		f.ProviderID = c.ProviderID
	}
	return a.page(ctx, f, in.Limit)
}

// page returns the first sessions that a filter selects, and the cursor of the next
// page.
func (a *api) page(ctx context.Context, f service.SessionFilter, limit int) (*listOutput, error) {
	f.Limit = limit + 1
	list, err := a.s.Sessions(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &listOutput{}
	if len(list) > limit {
		list = list[:limit]
		out.Body.NextCursor = list[limit-1].ID
	}
	out.Body.Sessions = make([]shape.SessionBody, 0, len(list))
	for _, c := range list {
		out.Body.Sessions = append(out.Body.Sessions, sessionBody(ctx, c))
	}
	return out, nil
}

// sessionBody returns a session as its caller may see it: a marketplace's user by the
// marketplace's own id.
func sessionBody(ctx context.Context, c service.Session) shape.SessionBody {
	b := shape.SessionBodyOf(c)
	b.UserID = callerOf(ctx).UserID(b.UserID)
	return b
}

// SessionPath is the id of the session that a request is about.
type SessionPath struct {
	ID string `path:"id" maxLength:"64" example:"0198c5d2-7b51-7c3e-9a55-0d6a6f0c8e11"`
}

type readOutput struct{ Body shape.SessionBody }

// readInput names a session to read, and its mode.
type readInput struct {
	SessionPath
	ModeQuery
}

func (a *api) read(ctx context.Context, in *readInput) (*readOutput, error) {
	by, _, err := in.reading(ctx)
	if err != nil {
		return nil, err
	}
	c, err := a.s.SessionFor(ctx, by, in.ID)
	if err != nil {
		return nil, err
	}
	return &readOutput{Body: sessionBody(ctx, c)}, nil
}

type validateBody struct {
	JTI string `json:"jti" doc:"The session id"`
}

// validateAnswer is the spec's ValidateResponse. Refusals are problems as well.
type validateAnswer struct {
	Valid   bool               `json:"valid"`
	Session *shape.SessionBody `json:"session,omitempty" doc:"Present when the session is valid, paused or pending"`
	Error   string             `json:"error,omitempty" doc:"The error text that the provider SDK specification defines"`
	Title   string             `json:"title,omitempty"`
	Status  int                `json:"status,omitempty"`
	Detail  string             `json:"detail,omitempty"`
	Code    protocol.Code      `json:"code,omitempty"`
	// Where the user can continue, if the session is known and has ended.
	ReturnURL string `json:"return_url,omitempty"`
	// The service's time, with which pages compute the offset of their own clock.
	ServerTimeMS int64 `json:"server_time_ms,omitempty"`
}

// TransformSchema implements [huma.SchemaTransformer]: the document lists the codes.
func (*validateAnswer) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return withCodes(s)
}

type validateInput struct {
	Authorization string `header:"Authorization" doc:"Bearer, followed by the launch or session token"`
	RawBody       []byte
}

type validateOutput struct {
	Status      int
	ContentType string `header:"Content-Type"`
	Body        validateAnswer
}

// routeValidate adds the only endpoint whose refusals have the spec's shape. Therefore
// it decodes its body and authenticates its caller itself.
func (a *api) routeValidate() {
	op := route{
		method: http.MethodPost, path: protocol.Sessions + "/validate", id: "validate-session", tag: "Sessions",
		summary: "Validate a session's token",
	}.operation(a)
	op.Security = []map[string][]string{{"session": {}}}
	op.Description = "Callers: session. Error bodies carry valid and error, as the provider SDK specification defines them, and the fields of a problem."
	op.RequestBody = a.bodySchema(a.huma.OpenAPI().Components.Schemas.Schema(typeOf[validateBody](), true, ""))
	op.SkipValidateBody = true
	answer := a.huma.OpenAPI().Components.Schemas.Schema(typeOf[validateAnswer](), true, "")
	delete(op.Responses, "422")
	delete(op.Responses, "500")
	for _, status := range []string{"400", "401", "404"} {
		op.Responses[status] = &huma.Response{Description: "Not valid", Content: map[string]*huma.MediaType{protocol.ProblemType: {Schema: answer}}}
	}
	huma.Register(a.huma, op, a.validate)
}

func (a *api) validate(ctx context.Context, in *validateInput) (*validateOutput, error) {
	var body validateBody
	refused := decodeStrictly(in.RawBody, &body)
	if refused != nil || body.JTI == "" {
		//nolint:nilerr // the answer is the refusal: its shape is this endpoint's own
		return invalid(400, protocol.InvalidRequest, "Invalid request", "The body must be {\"jti\": \"<session id>\"}."), nil
	}
	bearer := bearerOf(in.Authorization)
	if bearer == "" {
		return invalid(401, protocol.Unauthorized, "Missing authorization token", "Send the session's token: Authorization: Bearer …"), nil
	}
	who, err := a.s.Bearer(ctx, bearer)
	if err != nil {
		p := problemOf(err)
		a.logRefusal(ctx, p, err)
		if p.Status != http.StatusUnauthorized {
			return invalid(p.Status, p.Code, "Session could not be checked", p.Detail), nil
		}
		return invalid(401, p.Code, "Invalid or expired token", p.Detail), nil
	}
	if who.Spent {
		return invalid(401, protocol.LaunchSpent, "Invalid or expired token", "The launch token was already used. Send the session token that took its place."), nil
	}
	if who.Claims.ID != body.JTI {
		return invalid(401, protocol.TokenMismatch, "JTI mismatch", "The token belongs to another session."), nil
	}
	c, err := a.s.Session(ctx, body.JTI)
	if err != nil {
		p := problemOf(err)
		a.logRefusal(ctx, p, err)
		text := "Session not found"
		if p.Status != http.StatusNotFound {
			text = "Session could not be checked"
		}
		return invalid(p.Status, p.Code, text, p.Detail), nil
	}
	// Whoever asked lets the user in now.
	if c, err = a.s.Entered(ctx, c); err != nil {
		p := problemOf(err)
		a.logRefusal(ctx, p, err)
		return invalid(p.Status, p.Code, "Session could not be checked", p.Detail), nil
	}
	shown := shape.SessionBodyOf(c)
	out := &validateOutput{Status: 200, ContentType: "application/json", Body: validateAnswer{Valid: true, Session: &shown}}
	if protocol.Status(c.Status) != protocol.Active {
		out = invalid(400, protocol.CodeOf(protocol.Status(c.Status)), "Session is not active", "The session is "+string(c.Status)+".")
		out.Body.ReturnURL = c.ReturnURL
		if !c.Status.Terminal() {
			out.Body.Session = &shown
		}
	}
	out.Body.ServerTimeMS = a.Now().UnixMilli()
	return out, nil
}

func invalid(status int, code protocol.Code, text, detail string) *validateOutput {
	return &validateOutput{Status: status, ContentType: protocol.ProblemType, Body: validateAnswer{
		Error: text, Title: http.StatusText(status), Status: status, Code: code, Detail: detail,
	}}
}

type timelineOutput struct {
	Body struct {
		SessionID string                `json:"session_id"`
		Entries   []shape.TimelineEntry `json:"entries" nullable:"false" doc:"The newest 1000, oldest first; page events are omitted first"`
	}
}

func (a *api) routeTimeline() {
	register(a, route{
		method: http.MethodGet, path: protocol.Sessions + "/{id}/timeline", id: "get-session-timeline", expensive: true, test: true, tag: "Sessions",
		summary: "Read a session's timeline, oldest first", roles: []service.Role{service.RoleMarketplace, service.RoleProvider, service.RoleAdmin}, errors: []int{404},
	}, a.timeline)
}

func (a *api) timeline(ctx context.Context, in *readInput) (*timelineOutput, error) {
	by, _, err := in.reading(ctx)
	if err != nil {
		return nil, err
	}
	c, err := a.s.SessionFor(ctx, by, in.ID)
	if err != nil {
		return nil, err
	}
	out := &timelineOutput{}
	out.Body.SessionID = c.ID
	out.Body.Entries, err = a.s.Timeline(ctx, c.ID)
	return out, err
}
