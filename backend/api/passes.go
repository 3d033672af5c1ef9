package api

import (
	"context"
	"net/http"
	"time"

	"github.com/sessiongate/sessiongate/backend/dashboard"
	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// PassBody is a pass without its secret. It is exported because huma skips unexported
// embedded structs.
type PassBody struct {
	ID         string `json:"id" example:"pass_0198c5d2-5e46-7155-a07f-92b3c4d5e6f7"`
	ProviderID string `json:"provider_id"`
	Kind       string `json:"kind" enum:"staff,preview" doc:"staff: sessions of up to 12 hours, for the provider's own people. preview: sessions of two minutes that show the clock, the warning and the end"`
	Label      string `json:"label,omitempty" example:"QA team"`
	CreatedBy  string `json:"created_by" doc:"Id of the key or person that created it"`
	CreatedAt  int64  `json:"created_at"`
	ExpiresAt  int64  `json:"expires_at" doc:"When the pass and the sessions that it opened end"`
	RevokedAt  int64  `json:"revoked_at,omitempty"`
	Entries    int64  `json:"entries" doc:"How often it was used"`
	LastUsedAt int64  `json:"last_used_at,omitempty"`
}

func passBodyOf(p service.Pass) PassBody {
	return PassBody{
		ID: p.ID, ProviderID: p.ProviderID, Kind: p.Kind, Label: p.Label, CreatedBy: p.CreatedBy, CreatedAt: p.CreatedAt, ExpiresAt: p.ExpiresAt,
		RevokedAt: p.RevokedAt, Entries: p.Entries, LastUsedAt: p.LastUsedAt,
	}
}

// createPassInput has no Idempotency-Key, because a stored answer would contain the link.
// A pass that was created twice can be revoked.
type createPassInput struct {
	ID   string `path:"id" maxLength:"128" example:"prov_demo"`
	Body struct {
		Kind             string `json:"kind" enum:"staff,preview" example:"preview"`
		Label            string `json:"label,omitempty" maxLength:"100" pattern:"^[^\\x00-\\x1f\\x7f]*$" example:"QA team" doc:"Display name"`
		ExpiresInSeconds int64  `json:"expires_in_seconds,omitempty" minimum:"60" maximum:"31536000" example:"2592000" doc:"Lifetime of the pass. Default: 2592000, 30 days. The preview pass of a portal guest ends with the guest's link"`
	}
}

// CreatedPass is a pass with its link.
type CreatedPass struct {
	PassBody
	URL string `json:"url" example:"https://api.example.com/auth/pass#sg_pass_…" doc:"Opens the app, once its reader presses the button. Shown only once"`
}

type createPassOutput struct{ Body CreatedPass }

type listPassesInput struct {
	ID     string `path:"id" maxLength:"128" example:"prov_demo"`
	Cursor string `query:"cursor" maxLength:"64" pattern:"^pass_[0-9a-f-]+$" doc:"next_cursor of the previous page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type listPassesOutput struct {
	Body struct {
		Passes     []PassBody `json:"passes" nullable:"false" doc:"Newest first, without their links; also those that ended within 90 days"`
		NextCursor string     `json:"next_cursor,omitempty" doc:"Cursor of the next page; absent on the last page"`
	}
}

type passPath struct {
	Idempotent
	ID  string `path:"id" maxLength:"128" example:"prov_demo"`
	PID string `path:"pid" maxLength:"64" example:"pass_0198c5d2-5e46-7155-a07f-92b3c4d5e6f7"`
}

// routePasses adds passes, and the page on which they open. The page is for browsers: the
// OpenAPI document does not list it.
//
//	GET  /auth/pass  a button; the pass's secret is in the fragment
//	POST /auth/pass  open a session, and redirect to its launch link
func (a *api) routePasses() {
	const path = "/api/v1/providers/{id}/passes"
	register(a, route{
		method: http.MethodPost, path: path, id: "create-pass", tag: "Passes", status: http.StatusCreated, roles: readers, errors: []int{404, 409, 429},
		summary: "Create a pass, which opens the provider's app without a sale; returns its link once. Portal guests create preview passes only",
	}, a.createPass)
	register(a, route{
		method: http.MethodGet, path: path, id: "list-passes", tag: "Passes", roles: readers, errors: []int{404},
		summary: "List a provider's passes, without their links",
	}, a.passes)
	register(a, route{
		method: http.MethodDelete, path: path + "/{pid}", id: "revoke-pass", tag: "Passes", status: http.StatusNoContent, roles: readers, errors: []int{404, 409},
		summary: "Revoke a pass, and end the sessions that it opened",
	}, a.revokePass)
	a.passPage("GET "+service.PassPath, func(w http.ResponseWriter, _ *http.Request) error {
		a.writePass(w, http.StatusOK, "")
		return nil
	})
	a.passPage("POST "+service.PassPath, func(w http.ResponseWriter, r *http.Request) error {
		opened, err := a.s.EnterPass(r.Context(), r.PostFormValue("pass"))
		if err == nil {
			a.leave(w, opened.LaunchURL)
		}
		return err
	})
}

// passPage is [api.signInPage] with refusals on the page of passes.
func (a *api) passPage(pattern string, handle func(http.ResponseWriter, *http.Request) error) {
	a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if err := a.pageRequest(pattern, handle)(w, r); err != nil {
			p := problemOf(err)
			a.logRefusal(r.Context(), p, err)
			if wait := p.GetHeaders().Get("Retry-After"); wait != "" {
				w.Header().Set("Retry-After", wait)
			}
			a.writePass(w, p.Status, p.Detail)
		}
	})
}

func (a *api) writePass(w http.ResponseWriter, status int, problem string) {
	if err := dashboard.WritePass(w, status, problem); err != nil {
		a.Log.Debug("the client closed the connection before the page of a pass ended") // the reader left
	}
}

func (a *api) createPass(ctx context.Context, in *createPassInput) (*createPassOutput, error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, err
	}
	req, err := Idempotent{}.request(ctx, "create-pass", "", nil)
	if err != nil {
		return nil, err
	}
	link, made, err := a.s.CreatePass(ctx, recorded(ctx, req), callerOf(ctx), service.PassOrder{
		ProviderID: in.ID, Kind: service.Mode(in.Body.Kind), Label: in.Body.Label, Good: time.Duration(in.Body.ExpiresInSeconds) * time.Second,
	})
	if err != nil {
		return nil, err
	}
	return &createPassOutput{Body: CreatedPass{passBodyOf(made), link}}, nil
}

func (a *api) passes(ctx context.Context, in *listPassesInput) (*listPassesOutput, error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, err
	}
	list, err := a.s.Passes(ctx, service.PassFilter{ProviderID: in.ID, Before: in.Cursor, Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	out := &listPassesOutput{}
	list, more := cut(list, in.Limit)
	if more {
		out.Body.NextCursor = list[in.Limit-1].ID
	}
	out.Body.Passes = make([]PassBody, 0, len(list))
	for _, p := range list {
		out.Body.Passes = append(out.Body.Passes, passBodyOf(p))
	}
	return out, nil
}

func (a *api) revokePass(ctx context.Context, in *passPath) (*struct{}, error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, err
	}
	if callerOf(ctx).Guest {
		return nil, service.Refuse(protocol.Forbidden, "Portal links cannot revoke passes. Sign in with a key or as a person of the provider.")
	}
	req, err := in.request(ctx, "revoke-pass", in.PID, nil)
	if err != nil {
		return nil, err
	}
	return nil, a.s.RevokePass(ctx, recorded(ctx, req), in.ID, in.PID)
}
