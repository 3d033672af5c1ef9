package api

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sessiongate/sessiongate/backend/dashboard"
)

type healthOutput struct {
	Body struct {
		Status string `json:"status" enum:"ok"`
	}
}

type readyOutput struct {
	Body struct {
		Status   string   `json:"status" enum:"ok"`
		Warnings []string `json:"warnings,omitempty" doc:"What the service works around and an operator should mend"`
	}
}

// routeOperations adds what operators and people look at.
func (a *api) routeOperations() {
	register(a, route{
		method: http.MethodGet, path: "/healthz", id: "health", tag: "Operations", summary: "Check that the process is alive",
	}, func(context.Context, *struct{}) (*healthOutput, error) { return healthy(), nil })
	register(a, route{
		method: http.MethodGet, path: "/readyz", id: "ready", tag: "Operations", summary: "Check that the service is ready: the database answers and accepts writes",
		errors: []int{503},
	}, a.ready)
	a.mux.Handle("GET /metrics", promhttp.HandlerFor(a.s.Registry(), promhttp.HandlerOpts{}))
	// Also HEAD. Whether somebody is signed in, the page asks by itself.
	a.mux.HandleFunc("GET "+dashboard.Path, a.dashboard)
	a.mux.HandleFunc("GET /docs", a.docs())
}

func healthy() *healthOutput {
	out := &healthOutput{}
	out.Body.Status = "ok"
	return out
}

func (a *api) ready(ctx context.Context, _ *struct{}) (*readyOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := a.s.Ready(ctx); err != nil {
		return nil, err
	}
	out := &readyOutput{}
	out.Body.Status, out.Body.Warnings = "ok", a.s.Warnings()
	return out, nil
}
