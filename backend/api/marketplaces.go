package api

import (
	"context"
	"net/http"

	"github.com/sessiongate/sessiongate/backend/service"
)

// marketplaceBody is a marketplace as the API shows it.
type marketplaceBody struct {
	ID        string `json:"id" example:"mkt_books"`
	Name      string `json:"name" example:"Books & More"`
	CreatedAt int64  `json:"created_at" doc:"0: mkt_default, which always exists"`
}

type marketplaceOutput struct{ Body marketplaceBody }

type createMarketplaceInput struct {
	Idempotent
	Body struct {
		ID   string `json:"id,omitempty" pattern:"^mkt_[a-z0-9][a-z0-9_]{0,31}$" example:"mkt_books" doc:"Default: a random id"`
		Name string `json:"name" minLength:"1" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f]+$" example:"Books & More"`
	}
}

type listMarketplacesInput struct {
	Cursor string `query:"cursor" maxLength:"64" pattern:"^[A-Za-z0-9_-]+$" doc:"next_cursor of the previous page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type listMarketplacesOutput struct {
	Body struct {
		Marketplaces []marketplaceBody `json:"marketplaces" nullable:"false"`
		NextCursor   string            `json:"next_cursor,omitempty" doc:"Cursor of the next page; absent on the last page"`
	}
}

// routeMarketplaces adds the tenants.
func (a *api) routeMarketplaces() {
	const path = "/api/v1/marketplaces"
	admin := []service.Role{service.RoleAdmin}
	register(a, route{
		method: http.MethodPost, path: path, id: "create-marketplace", tag: "Operations", status: http.StatusCreated, roles: admin, errors: []int{409},
		summary: "Register a marketplace, whose keys, users, balances and sessions are its own",
	}, a.createMarketplace)
	register(a, route{
		method: http.MethodGet, path: path, id: "list-marketplaces", tag: "Operations", roles: admin,
		summary: "List marketplaces",
	}, a.listMarketplaces)
}

func (a *api) createMarketplace(ctx context.Context, in *createMarketplaceInput) (*marketplaceOutput, error) {
	req, err := in.request(ctx, "create-marketplace", in.Body.ID, in.Body)
	if err != nil {
		return nil, err
	}
	m, err := a.s.CreateMarketplace(ctx, req, service.Marketplace{ID: in.Body.ID, Name: in.Body.Name})
	if err != nil {
		return nil, err
	}
	return &marketplaceOutput{Body: marketplaceBody(m)}, nil
}

func (a *api) listMarketplaces(ctx context.Context, in *listMarketplacesInput) (*listMarketplacesOutput, error) {
	list, err := a.s.Marketplaces(ctx, in.Cursor, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &listMarketplacesOutput{}
	list, more := cut(list, in.Limit)
	if more {
		out.Body.NextCursor = list[in.Limit-1].ID
	}
	out.Body.Marketplaces = make([]marketplaceBody, 0, len(list))
	for _, m := range list {
		out.Body.Marketplaces = append(out.Body.Marketplaces, marketplaceBody(m))
	}
	return out, nil
}
