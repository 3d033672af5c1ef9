package api

import (
	"context"
	"net/http"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/doctor"
)

type checksInput struct {
	ID   string `path:"id" maxLength:"128" example:"prov_demo"`
	Body *struct {
		URL string `json:"url,omitempty" maxLength:"2048" example:"https://app.provider.com/" doc:"A page at one of the provider's domains. Default: its app_url"`
	}
}

// checkBody is the result of one check.
type checkBody struct {
	Name   string `json:"name" enum:"dns,ownership,tls,gate,time,refusal,websocket,injection,policy,origin_lock" doc:"The checks that docs/doctor.md describes"`
	Grade  string `json:"grade" enum:"ok,warning,failed,unchecked" doc:"unchecked: the check could not run; the remedy says what it needs"`
	Found  string `json:"found" doc:"What the check found" example:"the gate answers on its address"`
	Remedy string `json:"remedy" doc:"What to do; empty when nothing is wrong" example:"Point DNS at the edge."`
}

type checksOutput struct {
	Body struct {
		URL    string      `json:"url" example:"https://app.provider.com/"`
		At     int64       `json:"at"`
		Failed int         `json:"failed" minimum:"0" doc:"Number of failed checks"`
		Checks []checkBody `json:"checks" nullable:"false"`
	}
}

// grades maps the doctor's grades to their names in the API.
var grades = map[doctor.Grade]string{
	doctor.OK: "ok", doctor.Warning: "warning", doctor.Failed: "failed", doctor.NotChecked: "unchecked",
}

// routeChecks adds the doctor's checks. They change nothing and take no
// Idempotency-Key.
func (a *api) routeChecks() {
	register(a, route{
		method: http.MethodPost, path: "/api/v1/providers/{id}/checks", id: "check-provider", tag: "Providers", roles: []service.Role{service.RoleProvider, service.RoleAdmin},
		errors: []int{404, 429}, summary: "Check a provider's site from outside, as sessiongate doctor does; takes up to 20 s",
	}, a.check)
}

func (a *api) check(ctx context.Context, in *checksInput) (*checksOutput, error) {
	if err := ownProvider(ctx, in.ID); err != nil {
		return nil, err
	}
	page := ""
	if in.Body != nil {
		page = in.Body.URL
	}
	report, err := a.s.Check(ctx, in.ID, page)
	if err != nil {
		return nil, err
	}
	out := &checksOutput{}
	b := &out.Body
	b.URL, b.At, b.Failed, b.Checks = report.URL, a.Now().Unix(), report.Failed, make([]checkBody, 0, len(report.Checks))
	for _, c := range report.Checks {
		b.Checks = append(b.Checks, checkBody{c.Name, grades[c.Grade], c.Found, c.Remedy})
	}
	return out, nil
}
