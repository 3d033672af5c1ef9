package api

import (
	"context"
	"net/http"

	"github.com/sessiongate/sessiongate/backend/service"
)

// UserPath is the user that a request is about. It takes the ids "." and "..", which
// were allowed once; see [keepDots].
type UserPath struct {
	ID string `path:"id" minLength:"1" maxLength:"128" pattern:"^[A-Za-z0-9._:@|+-]+$" example:"user_7"`
}

type creditInput struct {
	Idempotent
	// Not only dots: paths cannot name such a user.
	ID   string `path:"id" minLength:"1" maxLength:"128" pattern:"^\\.*[A-Za-z0-9_:@|+-][A-Za-z0-9._:@|+-]*$" example:"user_7"`
	Body struct {
		Amount int64 `json:"amount" minimum:"1" maximum:"1000000000" example:"500"`
	}
}

type balanceOutput struct {
	Body struct {
		UserID    string `json:"user_id"`
		Available int64  `json:"available" doc:"Tokens that can be spent"`
		Held      int64  `json:"held" doc:"Tokens held for sessions that have not ended"`
	}
}

func balanceOf(userID string, b service.Balance) *balanceOutput {
	out := &balanceOutput{}
	out.Body.UserID, out.Body.Available, out.Body.Held = userID, b.Available(), b.Held
	return out
}

func (a *api) routeUsers() {
	const path = "/api/v1/users/{id}/"
	roles := []service.Role{service.RoleMarketplace}
	register(a, route{
		method: http.MethodPost, path: path + "tokens", id: "credit-user", tag: "Users", status: http.StatusCreated,
		summary: "Credit tokens to a user", roles: roles, test: true, errors: []int{409},
	}, a.credit)
	register(a, route{
		method: http.MethodGet, path: path + "balance", id: "get-balance", tag: "Users",
		summary: "Read a user's balance", roles: roles, test: true,
	}, a.balance)
	register(a, route{
		method: http.MethodGet, path: path + "ledger", id: "list-ledger", expensive: true, tag: "Users",
		summary: "List a user's ledger entries, newest first", roles: roles, test: true,
	}, a.ledger)
}

func (a *api) credit(ctx context.Context, in *creditInput) (*balanceOutput, error) {
	req, err := in.request(ctx, "credit-user", in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	subject, err := callerOf(ctx).Subject(in.ID)
	if err != nil {
		return nil, err
	}
	b, err := a.s.Credit(ctx, req, subject, in.Body.Amount)
	if err != nil {
		return nil, err
	}
	return balanceOf(in.ID, b), nil
}

func (a *api) balance(ctx context.Context, in *UserPath) (*balanceOutput, error) {
	subject, err := callerOf(ctx).Subject(in.ID)
	if err != nil {
		return nil, err
	}
	b, err := a.s.Balance(ctx, subject)
	if err != nil {
		return nil, err
	}
	return balanceOf(in.ID, b), nil
}

type ledgerInput struct {
	UserPath
	SessionID string `query:"session_id" maxLength:"64"`
	Cursor    string `query:"cursor" maxLength:"256" doc:"next_cursor of the previous page"`
	Limit     int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

// entryBody is one ledger entry, which moves tokens from one account to another.
type entryBody struct {
	ID         string `json:"id"`
	Kind       string `json:"kind" enum:"credit,hold,capture,release"`
	Amount     int64  `json:"amount" minimum:"1"`
	Debit      string `json:"debit" doc:"The debited account" example:"user:user_7:held"`
	Credit     string `json:"credit" doc:"The credited account" example:"provider:prov_demo"`
	SessionID  string `json:"session_id,omitempty"`
	ProviderID string `json:"provider_id,omitempty"`
	At         int64  `json:"at"`
}

type ledgerOutput struct {
	Body struct {
		Entries    []entryBody `json:"entries" nullable:"false"`
		NextCursor string      `json:"next_cursor,omitempty"`
	}
}

func (a *api) ledger(ctx context.Context, in *ledgerInput) (*ledgerOutput, error) {
	subject, err := callerOf(ctx).Subject(in.ID)
	if err != nil {
		return nil, err
	}
	f := service.EntryFilter{UserID: subject, SessionID: in.SessionID, Limit: in.Limit + 1}
	if in.Cursor != "" {
		if f.BeforeUS, f.BeforeID, err = parseCursor(in.Cursor); err != nil {
			return nil, err
		}
	}
	list, err := a.s.Entries(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &ledgerOutput{}
	list, more := cut(list, in.Limit)
	if more {
		last := list[in.Limit-1]
		out.Body.NextCursor = cursorOf(last.At, last.ID)
	}
	out.Body.Entries = make([]entryBody, 0, len(list))
	for _, t := range list {
		out.Body.Entries = append(out.Body.Entries, entryBody{
			ID: t.ID, Kind: string(t.Kind), Amount: t.Amount, Debit: string(t.Debit), Credit: string(t.Credit),
			SessionID: t.SessionID, ProviderID: t.ProviderID, At: t.At / 1_000_000,
		})
	}
	return out, nil
}
