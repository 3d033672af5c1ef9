package api

import (
	"context"
	"net/http"

	"github.com/sessiongate/sessiongate/backend/service"
)

// guestChangeBody is a change by a portal guest that nobody has confirmed.
type guestChangeBody struct {
	Item      string `json:"item" example:"app_url" doc:"domains, origin_url, app_url, policies, or webhook: and the webhook's id"`
	WebhookID string `json:"webhook_id,omitempty"`
	LinkID    string `json:"link_id" doc:"The portal link that the guest signed in with"`
	At        int64  `json:"at" doc:"Time of the last change by a guest"`
}

type guestChangesOutput struct {
	Body struct {
		Changes []guestChangeBody `json:"changes" nullable:"false" doc:"Oldest first"`
	}
}

type confirmChangesInput struct {
	Idempotent
	ID   string `path:"id" maxLength:"128" example:"prov_demo"`
	Body struct {
		Items []string `json:"items" minItems:"1" maxItems:"100" nullable:"false" example:"[\"app_url\"]" doc:"item of each change to confirm"`
	}
}

// routeGuests adds what guests changed, and its confirmation.
func (a *api) routeGuests() {
	const path = "/api/v1/providers/{id}/guest-changes"
	register(a, route{
		method: http.MethodGet, path: path, id: "list-guest-changes", tag: "Providers", roles: readers, errors: []int{404},
		summary: "List settings and webhooks that portal guests changed and nobody has confirmed",
	}, a.guestChanges)
	register(a, route{
		method: http.MethodPost, path: path + "/confirm", id: "confirm-guest-changes", tag: "Providers", status: http.StatusNoContent,
		roles: []service.Role{service.RoleProvider}, errors: []int{404},
		summary: "Confirm changes by portal guests. Not allowed for portal links",
	}, a.confirmGuestChanges)
}

func (a *api) guestChanges(ctx context.Context, in *readProviderInput) (*guestChangesOutput, error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, err
	}
	list, err := a.s.GuestChanges(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &guestChangesOutput{}
	out.Body.Changes = make([]guestChangeBody, 0, len(list))
	for _, c := range list {
		out.Body.Changes = append(out.Body.Changes, guestChangeBody{Item: c.Item, WebhookID: service.WebhookOfItem(c.Item), LinkID: c.LinkID, At: c.At})
	}
	return out, nil
}

func (a *api) confirmGuestChanges(ctx context.Context, in *confirmChangesInput) (*struct{}, error) {
	if err := ownProvider(ctx, in.ID); err != nil {
		return nil, err
	}
	req, err := in.request(ctx, "confirm-guest-changes", in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	return nil, a.s.ConfirmGuestChanges(ctx, req, in.ID, in.Body.Items)
}
