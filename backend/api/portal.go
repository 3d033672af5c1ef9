package api

import (
	"context"
	"net/http"
	"time"

	"github.com/sessiongate/sessiongate/backend/dashboard"
	"github.com/sessiongate/sessiongate/backend/service"
)

// portalInput takes no Idempotency-Key: answers remembered for one would hold
// the link, and a second link does no harm.
type portalInput struct {
	Body struct {
		ProviderID       string `json:"provider_id" minLength:"1" maxLength:"128" example:"prov_demo"`
		ExpiresInSeconds int64  `json:"expires_in_seconds,omitempty" minimum:"60" maximum:"604800" example:"86400" doc:"Validity of the link. Default: 86400, one day"`
	}
}

type portalOutput struct {
	Body struct {
		ID         string `json:"id" doc:"Id for revoking the link: DELETE /api/v1/apikeys/{id}"`
		ProviderID string `json:"provider_id"`
		URL        string `json:"url" example:"https://api.example.com/auth/portal#sg_link_…" doc:"Signs its bearer in as the provider's guest. Shown only once"`
		ExpiresAt  int64  `json:"expires_at"`
	}
}

// routePortal adds portal links, and the page on which they open:
//
//	GET  /auth/portal  a button; the link's secret is in the fragment
//	POST /auth/portal  sign in with it
func (a *api) routePortal() {
	register(a, route{
		method: http.MethodPost, path: "/api/v1/portal", id: "create-portal-link", tag: "People", status: http.StatusCreated, roles: []service.Role{service.RoleAdmin},
		errors: []int{404}, summary: "Create a portal link, which signs a browser in as a provider's guest",
	}, a.createPortalLink)
	a.signInPage("GET "+service.PortalPath, func(w http.ResponseWriter, _ *http.Request) error {
		if err := dashboard.WritePortal(w); err != nil {
			a.Log.Debug("the client closed the connection before the portal page ended") // the reader left
		}
		return nil
	})
	a.signInPage("POST "+service.PortalPath, func(w http.ResponseWriter, r *http.Request) error {
		in, err := a.s.SignInByLink(r.Context(), r.PostFormValue("link"))
		return a.welcome(w, in, r.PostFormValue("to"), err)
	})
}

func (a *api) createPortalLink(ctx context.Context, in *portalInput) (*portalOutput, error) {
	req, err := Idempotent{}.request(ctx, "create-portal-link", in.Body.ProviderID, in.Body)
	if err != nil {
		return nil, err
	}
	good := service.DefaultPortalTime
	if n := in.Body.ExpiresInSeconds; n != 0 {
		good = time.Duration(n) * time.Second
	}
	link, kept, err := a.s.CreatePortalLink(ctx, req, in.Body.ProviderID, good)
	if err != nil {
		return nil, err
	}
	out := &portalOutput{}
	out.Body.ID, out.Body.ProviderID, out.Body.URL, out.Body.ExpiresAt = kept.ID, kept.ProviderID, link, kept.ExpiresAt
	return out, nil
}
