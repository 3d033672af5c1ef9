package api

import (
	"context"
	_ "embed"
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sessiongate/sessiongate/backend/dashboard"
)

//go:embed docs.html
var docsPage string

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
	page := a.docs()
	a.mux.HandleFunc("GET /docs", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		if err := page.Execute(w, a.documented()); err != nil {
			a.Log.Debug("the client closed the connection before the documentation page ended") // the reader left
		}
	})
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

func (a *api) docs() *template.Template {
	return template.Must(template.New("docs").Parse(docsPage)) // embedded: tested
}

// documented is the endpoints in the order of their paths, grouped by tag.
func (a *api) documented() map[string][]*huma.Operation {
	doc := a.huma.OpenAPI()
	paths := make([]string, 0, len(doc.Paths))
	for p := range doc.Paths {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	groups := map[string][]*huma.Operation{}
	for _, p := range paths {
		item := doc.Paths[p]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete} {
			if op != nil {
				groups[op.Tags[0]] = append(groups[op.Tags[0]], op)
			}
		}
	}
	return groups
}
