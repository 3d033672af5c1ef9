package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/backend/shape"
)

const exportPage = 500

type exportInput struct {
	UserPath
	SessionsBefore string `query:"sessions_before" maxLength:"64" pattern:"^[0-9a-f-]+$"`
	LedgerCursor   string `query:"ledger_cursor" maxLength:"256"`
	EventsAfter    string `query:"events_after" maxLength:"64" pattern:"^[0-9a-f-]+$"`
}

type userEventBody struct {
	SessionID string          `json:"session_id"`
	Source    string          `json:"source" enum:"session,page"`
	Name      string          `json:"name"`
	AtMS      int64           `json:"at_ms"`
	Props     json.RawMessage `json:"props"`
}

type exportOutput struct {
	Body struct {
		UserID    string              `json:"user_id"`
		Available int64               `json:"available"`
		Held      int64               `json:"held"`
		Sessions  []shape.SessionBody `json:"sessions" nullable:"false"`
		Ledger    []entryBody         `json:"ledger" nullable:"false"`
		Events    []userEventBody     `json:"events" nullable:"false"`
		// Ask again with these for what did not fit; absent when it all did.
		SessionsBefore string `json:"sessions_before,omitempty"`
		LedgerCursor   string `json:"ledger_cursor,omitempty"`
		EventsAfter    string `json:"events_after,omitempty"`
	}
}

type eraseInput struct {
	Idempotent
	// Also a user's subject, by which administrators name the users of marketplaces.
	ID   string `path:"id" minLength:"1" maxLength:"200" pattern:"^[A-Za-z0-9._:@|+~-]+$" example:"user_7" doc:"For administrators: the user_id that they see, which names the marketplace: mkt_x~user_7"`
	Body *nothing
}

type eraseOutput struct {
	Body struct {
		Pseudonym string `json:"pseudonym" doc:"The id that replaces the user's in the ledger" example:"erased_7x3kq2m5n4p6r8s9t2va"`
	}
}

type auditInput struct {
	Cursor string `query:"cursor" maxLength:"64" pattern:"^[0-9a-f-]+$" doc:"next_cursor of the previous page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type auditBody struct {
	ID        string       `json:"id"`
	At        int64        `json:"at"`
	Actor     string       `json:"actor" doc:"Id of the key or person that acted"`
	Action    string       `json:"action" example:"update-provider"`
	Target    string       `json:"target"`
	RequestID string       `json:"request_id"`
	Changes   []changeBody `json:"changes" nullable:"false" doc:"What create-provider and update-provider changed, field by field; empty for other actions and for entries of older versions"`
}

type changeBody struct {
	Field  string `json:"field" example:"site.max_sessions"`
	Before any    `json:"before" doc:"The value before; a value that is too long is the beginning of its JSON and ends in …"`
	After  any    `json:"after" doc:"The value after"`
}

type auditOutput struct {
	Body struct {
		Entries    []auditBody `json:"entries" nullable:"false"`
		NextCursor string      `json:"next_cursor,omitempty"`
	}
}

func (a *api) routePrivacy() {
	register(a, route{
		method: http.MethodGet, path: "/api/v1/users/{id}/export", id: "export-user", expensive: true, test: true, tag: "Users", roles: []service.Role{service.RoleMarketplace},
		summary: "Export all data about a user",
	}, a.exportUser)
	register(a, route{
		method: http.MethodPost, path: "/api/v1/users/{id}/erase", id: "erase-user", test: true, tag: "Users", roles: []service.Role{service.RoleMarketplace, service.RoleAdmin},
		errors: []int{404, 409}, summary: "Erase a user; the ledger keeps a pseudonym",
	}, a.eraseUser)
	register(a, route{
		method: http.MethodGet, path: "/api/v1/audit", id: "list-audit", expensive: true, tag: "Operations", roles: []service.Role{service.RoleAdmin},
		summary: "List the audit log: administrators' actions and the creation and revocation of API keys, newest first",
	}, a.audit)
}

func (a *api) exportUser(ctx context.Context, in *exportInput) (*exportOutput, error) {
	out := &exportOutput{}
	b := &out.Body
	subject, err := callerOf(ctx).Subject(in.ID)
	if err != nil {
		return nil, err
	}
	balance, err := a.s.Balance(ctx, subject)
	if err != nil {
		return nil, err
	}
	b.UserID, b.Available, b.Held = in.ID, balance.Available(), balance.Held
	list, err := a.list(ctx, &listInput{UserID: in.ID, Cursor: in.SessionsBefore, Limit: exportPage})
	if err != nil {
		return nil, err
	}
	b.Sessions, b.SessionsBefore = list.Body.Sessions, list.Body.NextCursor
	entries, err := a.ledger(ctx, &ledgerInput{UserPath: in.UserPath, Cursor: in.LedgerCursor, Limit: exportPage})
	if err != nil {
		return nil, err
	}
	b.Ledger, b.LedgerCursor = entries.Body.Entries, entries.Body.NextCursor
	events, err := a.s.EventsOfUser(ctx, subject, in.EventsAfter, exportPage)
	if err != nil {
		return nil, err
	}
	b.Events = make([]userEventBody, 0, len(events))
	for _, e := range events {
		b.Events = append(b.Events, userEventBody{SessionID: e.SessionID, Source: e.Source, Name: e.Name, AtMS: e.AtMS, Props: json.RawMessage(e.Props)})
	}
	if len(events) == exportPage {
		b.EventsAfter = events[exportPage-1].ID
	}
	return out, nil
}

func (a *api) eraseUser(ctx context.Context, in *eraseInput) (*eraseOutput, error) {
	// The audit log records the pseudonym. It must not contain the user that it
	// replaces.
	req, err := in.request(ctx, "erase-user", "", in.ID)
	if err != nil {
		return nil, err
	}
	c := callerOf(ctx)
	subject, err := c.Subject(in.ID)
	if err != nil {
		return nil, err
	}
	pseudonym, err := a.s.EraseUser(ctx, req, subject)
	if err != nil {
		return nil, err
	}
	out := &eraseOutput{}
	out.Body.Pseudonym = c.UserID(pseudonym)
	return out, nil
}

func (a *api) audit(ctx context.Context, in *auditInput) (*auditOutput, error) {
	list, err := a.s.AuditEntries(ctx, in.Cursor, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &auditOutput{}
	if len(list) > in.Limit {
		list = list[:in.Limit]
		out.Body.NextCursor = list[in.Limit-1].ID
	}
	out.Body.Entries = make([]auditBody, 0, len(list))
	for _, e := range list {
		changes, err := service.ReadChanges(e)
		if err != nil {
			return nil, err
		}
		body := auditBody{ID: e.ID, At: e.At, Actor: e.Actor, Action: e.Action, Target: e.Target, RequestID: e.RequestID, Changes: make([]changeBody, 0, len(changes))}
		for _, c := range changes {
			body.Changes = append(body.Changes, changeBody{c.Field, c.Before, c.After})
		}
		out.Body.Entries = append(out.Body.Entries, body)
	}
	return out, nil
}
