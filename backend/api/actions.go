package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/backend/shape"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// nothing is the body of an action without parameters: absent, or {}.
type nothing struct{}

// actionInput is a request whose only parameter is a session.
type actionInput struct {
	Idempotent
	SessionPath
	Body *nothing
}

type actionOutput struct {
	Body struct {
		Session      shape.SessionBody `json:"session"`
		ServerTimeMS int64             `json:"server_time_ms"`
	}
}

func (a *api) acted(ctx context.Context, c service.Session, err error) (*actionOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &actionOutput{}
	out.Body.Session = sessionBody(ctx, c)
	out.Body.ServerTimeMS = a.Now().UnixMilli()
	return out, nil
}

func (a *api) routeSessionActions() {
	action := func(name, summary string, roles []service.Role, errs ...int) route {
		return route{
			method: http.MethodPost, path: protocol.Sessions + "/{id}/" + name, id: name + "-session", tag: "Sessions",
			summary: summary, roles: roles, errors: append([]int{404, 409, 429}, errs...), test: slices.Contains(roles, service.RoleMarketplace),
		}
	}
	own := []service.Role{service.RoleSession}
	a.routeEntry(action)
	register(a, action(protocol.ActionExtend, "Buy more time", []service.Role{service.RoleSession, service.RoleMarketplace}, 402), a.extend)
	register(a, action(protocol.ActionPause, "Stop the paid clock, if the provider allows it", own), a.action("pause-session", a.s.Pause))
	register(a, action(protocol.ActionResume, "Start the paid clock again", own), a.action("resume-session", a.s.Resume))
	register(a, action(protocol.ActionEnd, "End the session on behalf of its user", own), a.action("end-session", a.s.End))
	register(a, action(protocol.ActionComplete, "Settle the session; idempotent", []service.Role{service.RoleMarketplace}), a.action("complete-session", a.s.Complete))
	register(a, action(protocol.ActionRevoke, "End the session now, with a chosen refund", []service.Role{service.RoleMarketplace, service.RoleAdmin}), a.revoke)
	events := action(protocol.ActionEvents, "Record page events; no personal data", own)
	events.status = http.StatusAccepted
	register(a, events, a.pageEvents)
	register(a, route{
		method: http.MethodGet, path: protocol.Sessions + "/{id}/extensions", id: "list-extensions", tag: "Sessions",
		summary: "List a session's extensions", roles: []service.Role{service.RoleSession, service.RoleMarketplace}, test: true, errors: []int{404},
	}, a.extensions)
}

// action returns a handler for a use case whose only parameter is a session.
func (a *api) action(operation string, run func(context.Context, service.Request, string) (service.Session, error)) func(context.Context, *actionInput) (*actionOutput, error) {
	return func(ctx context.Context, in *actionInput) (*actionOutput, error) {
		req, err := in.request(ctx, operation, in.ID, nil)
		if err != nil {
			return nil, err
		}
		c, err := run(ctx, req, in.ID)
		return a.acted(ctx, c, err)
	}
}

type extendInput struct {
	Idempotent
	SessionPath
	Body *protocol.ExtendRequest
}

func (a *api) extend(ctx context.Context, in *extendInput) (*actionOutput, error) {
	var body protocol.ExtendRequest
	if in.Body != nil {
		body = *in.Body
	}
	byMarketplace := callerOf(ctx).Role == service.RoleMarketplace
	if byMarketplace && body.AdditionalSeconds < 1 {
		return nil, service.Refuse(protocol.InvalidRequest, "additional_seconds is required for callers with a marketplace key.")
	}
	req, err := in.request(ctx, "extend-session", in.ID, body)
	if err != nil {
		return nil, err
	}
	c, err := a.s.Extend(ctx, req, in.ID, byMarketplace, body.AdditionalSeconds, body.TokensToDeduct)
	return a.acted(ctx, c, err)
}

type revokeBody struct {
	Refund string `json:"refund" enum:"full,prorated,none" doc:"full returns every token, prorated the unused ones, none no token"`
	Reason string `json:"reason,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f]*$" example:"chargeback"`
}

type revokeInput struct {
	Idempotent
	SessionPath
	Body revokeBody
}

func (a *api) revoke(ctx context.Context, in *revokeInput) (*actionOutput, error) {
	req, err := in.request(ctx, "revoke-session", in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	c, err := a.s.Revoke(ctx, req, in.ID, callerOf(ctx).Role == service.RoleAdmin, in.Body.Refund, in.Body.Reason)
	return a.acted(ctx, c, err)
}

type pageEventsInput struct {
	Idempotent
	SessionPath
	Body protocol.EventsRequest
}

func (a *api) pageEvents(ctx context.Context, in *pageEventsInput) (*struct{}, error) {
	req, err := in.request(ctx, "add-events", in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	list := make([]service.PageEvent, 0, len(in.Body.Events))
	for _, e := range in.Body.Events {
		props, err := json.Marshal(e.Props)
		if err != nil {
			return nil, err
		}
		if len(props) > 2048 {
			return nil, service.Refuse(protocol.InvalidRequest, "The props of an event must not exceed 2 KiB.")
		}
		list = append(list, service.PageEvent{Name: e.Name, AtMS: e.At, Props: string(props)})
	}
	return nil, a.s.AddPageEvents(ctx, req, in.ID, list)
}

type extensionsInput struct {
	SessionPath
	Cursor string `query:"cursor" maxLength:"19" pattern:"^[1-9][0-9]*$" doc:"next_cursor of the previous page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

type extensionsOutput struct {
	Body struct {
		Extensions []shape.ExtensionBody `json:"extensions" nullable:"false" doc:"Oldest first"`
		NextCursor string                `json:"next_cursor,omitempty" doc:"Cursor of the next page; absent on the last page"`
	}
}

func (a *api) extensions(ctx context.Context, in *extensionsInput) (*extensionsOutput, error) {
	var after int64
	if in.Cursor != "" {
		var err error
		if after, err = strconv.ParseInt(in.Cursor, 10, 64); err != nil {
			return nil, service.Refuse(protocol.InvalidRequest, "cursor is not valid. Send next_cursor of the previous page, unchanged.")
		}
	}
	list, err := a.s.Extensions(ctx, callerOf(ctx), in.ID, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &extensionsOutput{}
	list, more := cut(list, in.Limit)
	if more {
		out.Body.NextCursor = strconv.FormatInt(list[in.Limit-1].Version, 10)
	}
	out.Body.Extensions = make([]shape.ExtensionBody, 0, len(list))
	for _, x := range list {
		out.Body.Extensions = append(out.Body.Extensions, shape.ExtensionBody{
			By: string(x.By), AdditionalSeconds: x.Seconds, TokensDeducted: x.Tokens, ExtendedAt: x.At,
		})
	}
	return out, nil
}
