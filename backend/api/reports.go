package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/doctor"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// edgeBody is an edge as the API shows it.
type edgeBody struct {
	ID           string   `json:"id" example:"4ZQ7XK2M5N4P6R8S9T2VA3BCDE" doc:"Id of the edge's process; changes when the edge restarts"`
	Version      string   `json:"version" example:"v1.0.0"`
	StartedAt    int64    `json:"started_at"`
	LastSeenAt   int64    `json:"last_seen_at"`
	LiveSessions int64    `json:"live_sessions" doc:"Sessions that the edge admits, counted every 10 s"`
	StreamLagMS  int64    `json:"stream_lag_ms" minimum:"-1" doc:"Milliseconds since the edge last received data on its event stream, which sends every 2 s; -1: never"`
	Addresses    []string `json:"addresses" nullable:"false" example:"[\"203.0.113.7\"]" doc:"Addresses from which the edge connects"`

	SiteOptions []protocol.SiteOptions `json:"site_options" nullable:"false" doc:"Which site settings the edge's Caddyfile sets itself, in place of the providers' own"`
}

// injectedOutcomes are the outcomes of pages that have their clock. Any other outcome
// is the reason why a page has none.
var injectedOutcomes = []string{"identity", "prefix", "reencode"}

// pageBody is an injection outcome of the pages at one path.
type pageBody struct {
	Host     string `json:"host"`
	Path     string `json:"path" example:"/orders/…" doc:"Path without query; … replaces segments that may be personal data"`
	Outcome  string `json:"outcome" example:"no_transform" doc:"identity, prefix or reencode: how the clock was injected. Other values say why it was not, as in the metric session_gate_pages_total"`
	Injected bool   `json:"injected"`
	Count    int64  `json:"count" doc:"Number of such pages that edges saw, at least"`
	LastAt   int64  `json:"last_at"`
	Remedy   string `json:"remedy" doc:"What the outcome means and what to do; empty when the clock was injected" example:"The page forbids changes with Cache-Control: no-transform. Remove no-transform from the app's Cache-Control header."`
}

type pagesOutput struct {
	Body struct {
		Pages []pageBody `json:"pages" nullable:"false" doc:"At most 200 of the last 30 days, most recently seen first"`
		AsOf  int64      `json:"as_of"`
	}
}

type edgesOutput struct {
	Body struct {
		Edges      []edgeBody `json:"edges" nullable:"false" doc:"Edges seen within the last hour, the one that started last first"`
		NextCursor string     `json:"next_cursor,omitempty" doc:"Cursor of the next page; absent on the last page"`
	}
}

type listEdgesInput struct {
	Cursor string `query:"cursor" maxLength:"256" doc:"next_cursor of the previous page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

// routeReports adds the reports of edges.
func (a *api) routeReports() {
	register(a, route{
		method: http.MethodGet, path: "/api/v1/edges", id: "list-edges", tag: "Operations", roles: []service.Role{service.RoleAdmin},
		summary: "List the edges of the last hour and their state",
	}, a.edges)
	register(a, route{
		method: http.MethodGet, path: "/api/v1/providers/{id}/pages", id: "list-pages", expensive: true, tag: "Analytics", roles: readers,
		errors: []int{404}, summary: "List the injection results of a provider's pages, as edges reported them",
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

func (a *api) edges(ctx context.Context, in *listEdgesInput) (*edgesOutput, error) {
	f := service.EdgeFilter{Limit: in.Limit + 1}
	if in.Cursor != "" {
		var err error
		if f.BeforeAt, f.BeforeID, err = parseCursor(in.Cursor); err != nil {
			return nil, err
		}
	}
	list, err := a.s.EdgeReports(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &edgesOutput{}
	list, more := cut(list, in.Limit)
	if more {
		last := list[in.Limit-1]
		out.Body.NextCursor = cursorOf(last.StartedAt, last.ID)
	}
	out.Body.Edges = make([]edgeBody, 0, len(list))
	for _, e := range list {
		body := edgeBody{
			ID: e.ID, Version: e.Version, StartedAt: e.StartedAt, LastSeenAt: e.LastSeenAt, LiveSessions: e.LiveSessions, StreamLagMS: e.StreamLagMS,
			Addresses: []string{}, SiteOptions: service.ReadSiteOptions(e.Sites),
		}
		if e.Address != "" {
			body.Addresses = append(body.Addresses, e.Address)
		}
		out.Body.Edges = append(out.Body.Edges, body)
	}
	return out, nil
}
