package backend

import (
	"context"
	"net/http"
)

// edgeBody is an edge as the API shows it.
type edgeBody struct {
	ID           string   `json:"id" example:"4ZQ7XK2M5N4P6R8S9T2VA3BCDE" doc:"Of its process: a restarted edge has another"`
	Version      string   `json:"version" example:"v1.0.0"`
	StartedAt    int64    `json:"started_at"`
	LastSeenAt   int64    `json:"last_seen_at"`
	LiveSessions int64    `json:"live_sessions" doc:"Sessions that it admits, counted every 10 s"`
	StreamLagMS  int64    `json:"stream_lag_ms" minimum:"-1" doc:"Since it heard its event stream, which speaks every 2 s; -1: never"`
	Addresses    []string `json:"addresses" nullable:"false" example:"[\"203.0.113.7\"]" doc:"Where it calls from"`
}

type edgesOutput struct {
	Body struct {
		Edges []edgeBody `json:"edges" nullable:"false" doc:"Seen within the last hour, the oldest process first"`
	}
}

// routeReports adds what edges reported.
func (a *api) routeReports() {
	register(a, route{
		method: http.MethodGet, path: "/api/v1/edges", id: "list-edges", tag: "Operations", roles: []Role{RoleAdmin},
		summary: "The edges of the last hour and how they do",
	}, a.edges)
}

func (a *api) edges(ctx context.Context, _ *struct{}) (*edgesOutput, error) {
	a.s.flushReports(ctx) // other backends' are at most some seconds old
	list, err := a.s.store.Edges(ctx, a.s.now().Add(-keepEdges))
	if err != nil {
		return nil, err
	}
	out := &edgesOutput{}
	out.Body.Edges = make([]edgeBody, 0, len(list))
	for _, e := range list {
		body := edgeBody{
			ID: e.ID, Version: e.Version, StartedAt: e.StartedAt, LastSeenAt: e.LastSeenAt, LiveSessions: e.LiveSessions, StreamLagMS: e.StreamLagMS,
			Addresses: []string{},
		}
		if e.Address != "" {
			body.Addresses = append(body.Addresses, e.Address)
		}
		out.Body.Edges = append(out.Body.Edges, body)
	}
	return out, nil
}
