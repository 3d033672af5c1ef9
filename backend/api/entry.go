package api

import (
	"context"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/backend/shape"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// routeEntry adds the endpoints around launch tokens. Only launch and heartbeat take one
// as the bearer token; action makes a route of a session's own.
func (a *api) routeEntry(action func(name, summary string, roles []service.Role, errs ...int) route) {
	either := []service.Role{service.RoleSession, service.RoleLaunch}
	register(a, action(protocol.ActionLaunch, "Redeem a launch token where no edge does it: starts a pending session, and answers the session token", either), a.launchFromPage)
	register(a, action(protocol.ActionHeartbeat, "Send a page's heartbeat", either), a.heartbeat)
	register(a, action(protocol.ActionRelaunch, "Make a new link to a live session; its earlier links and the cookies of its browsers are void", []service.Role{service.RoleMarketplace}), a.relaunch)
}

// linkBody is a session with a launch token.
type linkBody struct {
	Session   shape.SessionBody `json:"session"`
	Token     string            `json:"token" doc:"The launch token"`
	LaunchURL string            `json:"launch_url" doc:"URL to send the user to: the provider's app with the launch token. Empty when the provider has neither app_url nor a domain"`
}

type createOutput struct{ Body linkBody }

func linked(ctx context.Context, c service.LinkedSession) *createOutput {
	return &createOutput{Body: linkBody{Session: sessionBody(ctx, c.Session), Token: c.Token, LaunchURL: c.LaunchURL}}
}

func (a *api) relaunch(ctx context.Context, in *actionInput) (*createOutput, error) {
	req, err := in.request(ctx, "relaunch-session", in.ID, nil)
	if err != nil {
		return nil, err
	}
	again, err := a.s.Relaunch(ctx, req, in.ID)
	if err != nil {
		return nil, err
	}
	return linked(ctx, again), nil
}

type redeemInput struct {
	Key string `header:"Idempotency-Key" maxLength:"64" pattern:"^[!-~]+$" doc:"At least 16 random characters. A request with the same key and token answers the session token again for a minute, so that a lost response does not cost the user the session"`
	SessionPath
	Body *nothing
}

type redeemOutput struct {
	Body struct {
		Session      shape.SessionBody `json:"session"`
		SessionToken string            `json:"session_token,omitempty" doc:"The Bearer token of all further calls. Absent if the request was made with a session token"`
		ServerTimeMS int64             `json:"server_time_ms"`
	}
}

// launchFromPage redeems the launch token of a page without an edge.
func (a *api) launchFromPage(ctx context.Context, in *redeemInput) (*redeemOutput, error) {
	c, signed, err := a.s.Enter(ctx, callerOf(ctx), in.Key)
	if err != nil {
		return nil, err
	}
	out := &redeemOutput{}
	out.Body.Session, out.Body.SessionToken, out.Body.ServerTimeMS = sessionBody(ctx, c), signed, a.Now().UnixMilli()
	return out, nil
}

type heartbeatInput struct {
	SessionPath
	Body *protocol.HeartbeatRequest
}

type heartbeatOutput struct{ Body protocol.HeartbeatAnswer }

func (a *api) heartbeat(ctx context.Context, in *heartbeatInput) (*heartbeatOutput, error) {
	if c := callerOf(ctx); c.Spent {
		return nil, c.MayNot()
	}
	answer, err := a.s.Heartbeat(ctx, in.ID, in.Body != nil && in.Body.Active)
	if err != nil {
		return nil, err
	}
	return &heartbeatOutput{Body: answer}, nil
}
