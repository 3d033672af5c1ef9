package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// ModeQuery selects sessions by what they are for. It is exported because huma skips
// unexported embedded structs.
type ModeQuery struct {
	Mode string `query:"mode" enum:"live,test,staff,preview" doc:"What the sessions are for. Default: live; with a test key: test, and nothing else"`
}

// reading returns the caller as it reads sessions of the mode that was asked for, and the
// mode.
func (q ModeQuery) reading(ctx context.Context) (service.Caller, service.Mode, error) {
	return callerOf(ctx).Reading(service.Mode(q.Mode))
}

// refuseTestKeys refuses test keys at routes that do not say that they take them: those
// show or change what is live.
func (a *api) refuseTestKeys(hc huma.Context, next func(huma.Context)) {
	if !callerOf(hc.Context()).Test {
		next(hc)
		return
	}
	r, w := humago.Unwrap(hc)
	err := service.Refuse(protocol.Forbidden, "Test keys may not do this: they sell and read test sessions only. Use a live key.")
	p := problemOf(err)
	a.logRefusal(r.Context(), p, err)
	p.write(w)
}

type advanceInput struct {
	Idempotent
	SessionPath
	Body struct {
		Seconds int64 `json:"seconds" minimum:"1" maximum:"2678400" example:"3540" doc:"How far to move the clock"`
	}
}

// routeAdvance adds the endpoint that moves the clock of a test session.
func (a *api) routeAdvance() {
	register(a, route{
		method: http.MethodPost, path: protocol.Sessions + "/{id}/advance", id: "advance-session", tag: "Sessions", roles: []service.Role{service.RoleMarketplace},
		test: true, errors: []int{404, 409, 429},
		summary: "Move the clock of a test session forward; warnings, the end and the settlement happen as they would",
	}, a.advance)
}

func (a *api) advance(ctx context.Context, in *advanceInput) (*actionOutput, error) {
	req, err := in.request(ctx, "advance-session", in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	c, err := a.s.Advance(ctx, req, callerOf(ctx), in.ID, in.Body.Seconds)
	return a.acted(ctx, c, err)
}
