package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/sessiongate/sessiongate/backend/service"
)

// personBody is one role of a person, as the API shows it.
type personBody struct {
	ID         string `json:"id"`
	Email      string `json:"email" example:"ada@example.com"`
	Role       string `json:"role" enum:"provider,admin"`
	ProviderID string `json:"provider_id,omitempty"`
	CreatedAt  int64  `json:"created_at"`
	LastSeenAt int64  `json:"last_seen_at,omitempty" doc:"Time of the last sign-in; absent: never"`
}

func personBodyOf(p service.Person) personBody {
	return personBody{ID: p.ID, Email: p.Email, Role: p.Role, ProviderID: p.ProviderID, CreatedAt: p.CreatedAt, LastSeenAt: p.LastSeenAt}
}

type createPersonInput struct {
	Idempotent
	Body struct {
		Email      string `json:"email" minLength:"3" maxLength:"254" example:"ada@example.com" doc:"As the identity provider reports it"`
		Role       string `json:"role" enum:"provider,admin"`
		ProviderID string `json:"provider_id,omitempty" maxLength:"64" doc:"Required for the role provider, not allowed for others"`
	}
}

type personOutput struct{ Body personBody }

type listPeopleInput struct {
	Cursor string `query:"cursor" maxLength:"64" pattern:"^[0-9a-f-]+$" doc:"next_cursor of the previous page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type listPeopleOutput struct {
	Body struct {
		People     []personBody `json:"people" nullable:"false"`
		NextCursor string       `json:"next_cursor,omitempty"`
	}
}

type personPath struct {
	Idempotent
	ID string `path:"id" maxLength:"64"`
}

type meOutput struct {
	Body struct {
		Role       string `json:"role" enum:"provider,admin"`
		ProviderID string `json:"provider_id,omitempty"`
		Name       string `json:"name" doc:"The person's e-mail address, or the key's name" example:"ada@example.com"`
		Person     bool   `json:"person" doc:"Whether the caller is a person who signed in with the identity provider"`
		KeyID      string `json:"key_id,omitempty" doc:"Id of the API key or portal link, for callers that use one"`
		Guest      bool   `json:"guest" doc:"Whether the caller signed in with a portal link"`
		ExpiresAt  int64  `json:"expires_at,omitempty" doc:"When the key or link expires; absent: never"`
		// So that a page has it without asking again.
		Provider *providerBody `json:"provider,omitempty" doc:"The caller's provider, for callers with the role provider"`
	}
}

func (a *api) routePeople() {
	const path, tag = "/api/v1/people", "People"
	admin := []service.Role{service.RoleAdmin}
	register(a, route{
		method: http.MethodPost, path: path, id: "create-person", tag: tag, status: http.StatusCreated, roles: admin, errors: []int{404, 409},
		summary: "Give a person a role for signing in with the identity provider",
	}, a.createPerson)
	register(a, route{
		method: http.MethodGet, path: path, id: "list-people", tag: tag, roles: admin, summary: "List people and their roles",
	}, a.listPeople)
	register(a, route{
		method: http.MethodDelete, path: path + "/{id}", id: "delete-person", tag: tag, status: http.StatusNoContent, roles: admin, errors: []int{404},
		summary: "Remove a person's role and end its sign-ins",
	}, a.deletePerson)
	register(a, route{
		method: http.MethodGet, path: "/api/v1/me", id: "get-me", tag: tag, roles: []service.Role{service.RoleProvider, service.RoleAdmin}, summary: "Read the caller's identity",
	}, a.me)
}

func (a *api) createPerson(ctx context.Context, in *createPersonInput) (*personOutput, error) {
	req, err := in.request(ctx, "create-person", strings.TrimSuffix(in.Body.Role+" of "+in.Body.ProviderID, " of "), in.Body)
	if err != nil {
		return nil, err
	}
	p, err := a.s.AddPerson(ctx, req, service.Role(in.Body.Role), in.Body.ProviderID, in.Body.Email)
	if err != nil {
		return nil, err
	}
	return &personOutput{Body: personBodyOf(p)}, nil
}

func (a *api) listPeople(ctx context.Context, in *listPeopleInput) (*listPeopleOutput, error) {
	list, err := a.s.ListPeople(ctx, in.Cursor, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &listPeopleOutput{}
	out.Body.People = []personBody{}
	if len(list) > in.Limit {
		list = list[:in.Limit]
		out.Body.NextCursor = list[in.Limit-1].ID
	}
	for _, p := range list {
		out.Body.People = append(out.Body.People, personBodyOf(p))
	}
	return out, nil
}

func (a *api) deletePerson(ctx context.Context, in *personPath) (*struct{}, error) {
	req, err := in.request(ctx, "delete-person", in.ID, nil)
	if err != nil {
		return nil, err
	}
	return nil, a.s.DeletePerson(ctx, req, in.ID)
}

func (a *api) me(ctx context.Context, _ *struct{}) (*meOutput, error) {
	c := callerOf(ctx)
	out := &meOutput{}
	b := &out.Body
	b.Role, b.ProviderID, b.Name, b.Person = string(c.Role), c.ProviderID, c.Name, c.Person.ID != ""
	b.Guest, b.ExpiresAt = c.Guest, c.ExpiresAt
	if !b.Person {
		b.KeyID = c.KeyID
	}
	if c.Role == service.RoleProvider {
		p, err := a.s.Provider(ctx, c.ProviderID)
		if err != nil {
			return nil, err
		}
		own, err := a.providerOutput(ctx, p)
		if err != nil {
			return nil, err
		}
		b.Provider = &own.Body
	}
	return out, nil
}
