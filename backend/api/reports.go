package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/doctor"
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

// injectedOutcomes are those of pages that have their clock; any other says why
// a page has none.
var injectedOutcomes = []string{"identity", "prefix", "reencode"}

// pageBody is what became of the clock in pages of one path.
type pageBody struct {
	Host     string `json:"host"`
	Path     string `json:"path" example:"/orders/…" doc:"Without query; … stands for what may be somebody's name or number"`
	Outcome  string `json:"outcome" example:"no_transform" doc:"identity, prefix or reencode: how the clock got in. Otherwise the reason why not, as in the metric session_gate_pages_total"`
	Injected bool   `json:"injected"`
	Count    int64  `json:"count" doc:"How many such pages edges saw, at least"`
	LastAt   int64  `json:"last_at"`
	Remedy   string `json:"remedy" doc:"What it means and what to do, in plain words; empty when injected" example:"The page forbids changes by Cache-Control: no-transform. Remove that word from the app's Cache-Control."`
}

type pagesOutput struct {
	Body struct {
		Pages []pageBody `json:"pages" nullable:"false" doc:"The last seen first, at most 200, of the last 30 days"`
		AsOf  int64      `json:"as_of"`
	}
}

type edgesOutput struct {
	Body struct {
		Edges []edgeBody `json:"edges" nullable:"false" doc:"Seen within the last hour, the oldest process first"`
	}
}

// routeReports adds what edges reported.
func (a *api) routeReports() {
	register(a, route{
		method: http.MethodGet, path: "/api/v1/edges", id: "list-edges", tag: "Operations", roles: []service.Role{service.RoleAdmin},
		summary: "The edges of the last hour and how they do",
	}, a.edges)
	register(a, route{
		method: http.MethodGet, path: "/api/v1/providers/{id}/pages", id: "list-pages", tag: "Analytics", roles: readers,
		errors: []int{404}, summary: "What became of the clock in a provider's pages, as edges saw it",
	}, a.pages)
}

func (a *api) pages(ctx context.Context, in *readProviderInput) (*pagesOutput, error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, err
	}
	list, err := a.s.PageReports(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &pagesOutput{}
	out.Body.AsOf = a.Now().Unix()
	out.Body.Pages = make([]pageBody, 0, len(list))
	for _, p := range list {
		body := pageBody{Host: p.Host, Path: p.Path, Outcome: p.Outcome, Injected: slices.Contains(injectedOutcomes, p.Outcome), Count: p.Pages, LastAt: p.LastAt}
		if !body.Injected {
			body.Remedy = doctor.Explain(p.Outcome)
		}
		out.Body.Pages = append(out.Body.Pages, body)
	}
	return out, nil
}

func (a *api) edges(ctx context.Context, _ *struct{}) (*edgesOutput, error) {
	list, err := a.s.EdgeReports(ctx)
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
