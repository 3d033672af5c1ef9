package api

import (
	"context"
	"net/http"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/backend/shape"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

type timelineOutput struct {
	Body struct {
		SessionID string                `json:"session_id"`
		Entries   []shape.TimelineEntry `json:"entries" nullable:"false" doc:"Oldest first, at most 1000; page events are omitted first"`
	}
}

func (a *api) routeTimeline() {
	register(a, route{
		method: http.MethodGet, path: protocol.Sessions + "/{id}/timeline", id: "get-session-timeline", tag: "Sessions",
		summary: "Read a session's timeline, oldest first", roles: []service.Role{service.RoleMarketplace, service.RoleProvider, service.RoleAdmin}, errors: []int{404},
	}, a.timeline)
}

func (a *api) timeline(ctx context.Context, in *SessionPath) (*timelineOutput, error) {
	c, err := a.s.Session(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := ownProvider(ctx, c.ProviderID); err != nil {
		return nil, err
	}
	out := &timelineOutput{}
	out.Body.SessionID = c.ID
	out.Body.Entries, err = a.s.Timeline(ctx, c.ID)
	return out, err
}
