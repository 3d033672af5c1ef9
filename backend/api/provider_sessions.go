package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/backend/shape"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	maxSessionRows  = 10_000 // of a CSV
	sessionRowsPage = 500    // read at once
)

// SessionSearch selects a provider's sessions. It is exported because huma
// passes over unexported embedded structs.
type SessionSearch struct {
	ID string `path:"id" maxLength:"128" example:"prov_demo"`
	ModeQuery
	UserID string `query:"user_id" maxLength:"200"`
	Status string `query:"status" enum:"pending,active,paused,completed,expired,revoked,canceled"`
	From   string `query:"from" format:"date" maxLength:"10" example:"2027-01-01" doc:"First creation day, UTC. Default: no limit"`
	To     string `query:"to" format:"date" maxLength:"10" example:"2027-01-31" doc:"Last creation day, UTC. Default: no limit"`
	Q      string `query:"q" maxLength:"200" pattern:"^[A-Za-z0-9._:@|+~-]*$" example:"user_7" doc:"A session id, or the prefix of a user id"`
}

// filter converts in to a filter, or returns why it is not valid.
func (in SessionSearch) filter(ctx context.Context) (service.SessionFilter, error) {
	_, mode, err := in.reading(ctx)
	if err != nil {
		return service.SessionFilter{}, err
	}
	f := service.SessionFilter{ProviderID: in.ID, Mode: mode, UserID: in.UserID, Status: service.Status(in.Status), Search: in.Q}
	if in.From != "" {
		day, err := dayOf(in.From, "from")
		if err != nil {
			return f, err
		}
		f.Since = day * secondsADay
	}
	if in.To != "" {
		day, err := dayOf(in.To, "to")
		if err != nil {
			return f, err
		}
		f.Until = (day + 1) * secondsADay
	}
	if f.Until != 0 && f.Since >= f.Until {
		return f, service.Refuse(protocol.InvalidRequest, "from must not be after to.")
	}
	return f, nil
}

type providerSessionsInput struct {
	SessionSearch
	Cursor string `query:"cursor" maxLength:"64" pattern:"^[0-9a-f-]+$" doc:"next_cursor of the previous page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

// sessionRow is a session as a line of a spreadsheet. Addresses are left out.
type sessionRow struct {
	ID                   string `json:"id"`
	UserID               string `json:"user_id"`
	Status               string `json:"status"`
	CreatedAt            int64  `json:"created_at"`
	StartedAt            int64  `json:"started_at"`
	ExpiresAt            int64  `json:"expires_at"`
	EndedAt              int64  `json:"ended_at"`
	EndReason            string `json:"end_reason"`
	DurationLimitSeconds int64  `json:"duration_limit_seconds"`
	UsedSeconds          int64  `json:"used_seconds"`
	TokensAllocated      int64  `json:"tokens_allocated"`
	Captured             int64  `json:"captured"`
	Released             int64  `json:"released"`
	MarketplaceID        string `json:"marketplace_id"`
	Mode                 string `json:"mode"`
}

func sessionRowOf(c service.Session) sessionRow {
	r := sessionRow{
		ID: c.ID, UserID: c.UserID, Status: string(c.Status), CreatedAt: c.CreatedAt, StartedAt: c.StartedAt, ExpiresAt: c.ExpiresAt,
		EndedAt: c.EndedAt, EndReason: c.EndReason, DurationLimitSeconds: c.Duration, TokensAllocated: c.Tokens,
	}
	r.MarketplaceID, r.Mode = shape.MarketplaceOf(c), string(c.Purpose())
	if s := c.Settlement; s != nil {
		r.Captured, r.Released, r.UsedSeconds = s.Captured, s.Released, s.UsedSeconds
	}
	return r
}

func (a *api) routeProviderSessions() {
	list := route{
		method: http.MethodGet, path: "/api/v1/providers/{id}/sessions", id: "list-provider-sessions", expensive: true, test: true, tag: "Analytics",
		roles: readers, errors: []int{404}, summary: "List a provider's sessions, newest first",
	}
	register(a, list, a.providerSessions)
	file := list
	file.path, file.id, file.summary = list.path+".csv", list.id+"-csv", "A provider's newest 10,000 sessions, as CSV"
	op := file.operation(a)
	answersCSV(&op)
	huma.Register(a.huma, op, func(ctx context.Context, in *SessionSearch) (*csvOutput, error) {
		out, err := a.sessionsFile(ctx, in)
		if err != nil {
			return nil, a.answerOf(ctx, err)
		}
		return out, nil
	})
}

func (a *api) providerSessions(ctx context.Context, in *providerSessionsInput) (*listOutput, error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, err
	}
	f, err := in.filter(ctx)
	if err != nil {
		return nil, err
	}
	f.Before = in.Cursor
	return a.page(ctx, f, in.Limit)
}

// sessionsFile reads the sessions page by page, so that the query and the settlement of
// due sessions do not block others for long.
func (a *api) sessionsFile(ctx context.Context, in *SessionSearch) (*csvOutput, error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, err
	}
	f, err := in.filter(ctx)
	if err != nil {
		return nil, err
	}
	f.Limit = sessionRowsPage
	var rows []sessionRow
	for len(rows) < maxSessionRows {
		list, err := a.s.Sessions(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			rows = append(rows, sessionRowOf(c))
		}
		if len(list) < f.Limit {
			break
		}
		f.Before = list[len(list)-1].ID
	}
	body, err := table(rows)
	if err != nil {
		return nil, err
	}
	return csvFile(fmt.Sprintf("sessions-%s.csv", dateOf(a.Now().Unix()/secondsADay)), body), nil
}
