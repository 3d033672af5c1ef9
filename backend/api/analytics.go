package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/backend/shape"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	defaultDays = 30
	maxDays     = 731
	secondsADay = 86400
	dateForm    = "2006-01-02"

	analyticsPath = "/api/v1/providers/{id}/analytics/"
)

// RangeInput is a provider and a range of days.
type RangeInput struct {
	ID string `path:"id" maxLength:"128" example:"prov_demo"`
	ModeQuery
	From string `query:"from" format:"date" maxLength:"10" example:"2027-01-01" doc:"First day, UTC. Default: 29 days before the last"`
	To   string `query:"to" format:"date" maxLength:"10" example:"2027-01-31" doc:"Last day, UTC. Default: today"`
}

// bounds returns the range as days since 1970.
func (in RangeInput) bounds(now time.Time) (first, last int64, err error) {
	last = now.Unix() / secondsADay
	if in.To != "" {
		if last, err = dayOf(in.To, "to"); err != nil {
			return 0, 0, err
		}
	}
	first = last - defaultDays + 1
	if in.From != "" {
		if first, err = dayOf(in.From, "from"); err != nil {
			return 0, 0, err
		}
	}
	if first > last || last-first >= maxDays {
		return 0, 0, service.Refuse(protocol.InvalidRequest, "The range must be 1 to "+strconv.Itoa(maxDays)+" days, and from must not be after to.")
	}
	return first, last, nil
}

func dayOf(date, name string) (int64, error) {
	t, err := time.Parse(dateForm, date)
	if err != nil || t.Year() < 1970 {
		return 0, service.Refuse(protocol.InvalidRequest, name+" must be a date, such as 2027-01-31.")
	}
	return t.Unix() / secondsADay, nil
}

func dateOf(day int64) string { return time.Unix(day*secondsADay, 0).UTC().Format(dateForm) }

// RangeBody is the common part of all analyses. It is exported because huma skips
// unexported embedded structs.
type RangeBody struct {
	ProviderID string `json:"provider_id"`
	From       string `json:"from" format:"date"`
	To         string `json:"to" format:"date"`
	AsOf       int64  `json:"as_of" doc:"Time up to which changes are counted; 0 before the first count"`
}

// sessionDay, revenueDay and userDay are one day, or a total without a date.
type sessionDay struct {
	Date            string `json:"date,omitempty"`
	Sessions        int64  `json:"sessions" doc:"Created on this day"`
	Entered         int64  `json:"entered" doc:"Of these, sessions that their user entered"`
	Completed       int64  `json:"completed"`
	Expired         int64  `json:"expired"`
	Revoked         int64  `json:"revoked"`
	Canceled        int64  `json:"canceled"`
	TokensAllocated int64  `json:"tokens_allocated"`
	PaidSeconds     int64  `json:"paid_seconds"`
	UsedSeconds     int64  `json:"used_seconds"`
	Extensions      int64  `json:"extensions" doc:"Extensions bought for these sessions"`
}

func sessionDayOf(date string, d service.Day) sessionDay {
	return sessionDay{date, d.Sessions, d.Entered, d.Completed, d.Expired, d.Revoked, d.Canceled, d.TokensAllocated, d.PaidSeconds, d.UsedSeconds, d.Extensions}
}

type revenueDay struct {
	Date        string `json:"date,omitempty"`
	Settlements int64  `json:"settlements" doc:"Sessions with a capture on this day"`
	Captured    int64  `json:"captured" doc:"Tokens captured on this day, from the ledger"`
	Released    int64  `json:"released" doc:"Tokens released"`
	Held        int64  `json:"held" doc:"Tokens held"`
}

func revenueDayOf(date string, d service.Day) revenueDay {
	return revenueDay{date, d.Captures, d.Captured, d.Released, d.Held}
}

type userDay struct {
	Date      string `json:"date,omitempty"`
	Users     int64  `json:"users" doc:"Users with a session created on this day. In a total: the sum of the days"`
	NewUsers  int64  `json:"new_users" doc:"Of these, users without an earlier session"`
	Returning int64  `json:"returning"`
}

func userDayOf(date string, d service.Day) userDay {
	return userDay{date, d.Users, d.NewUsers, d.Users - d.NewUsers}
}

// analysis is the response of all three analyses.
type analysis[T any] struct {
	Body struct {
		RangeBody
		Days  []T `json:"days" nullable:"false" doc:"Every day of the range"`
		Total T   `json:"total"`
	}
}

func (a *api) routeAnalytics() {
	const path = "/api/v1/providers/{id}"
	register(a, route{
		method: http.MethodGet, path: path + "/stats", id: "get-stats", expensive: true, test: true, tag: "Analytics", roles: readers, errors: []int{404},
		summary: "Read a provider's overview",
	}, a.stats)
	a.routeProviderSessions()
	routeAnalysis(a, "sessions", "Sessions by day", sessionDayOf)
	routeAnalysis(a, "revenue", "Tokens earned by day, from the ledger", revenueDayOf)
	routeAnalysis(a, "users", "Users by day", userDayOf)
	a.routeEventCounts()
	a.routeLive()
}

// routeAnalysis adds the JSON and CSV endpoints of one analysis.
func routeAnalysis[T any](a *api, name, summary string, show func(string, service.Day) T) {
	path := analyticsPath + name
	get := func(ctx context.Context, in *RangeInput) (*analysis[T], error) {
		out := &analysis[T]{}
		days, total, body, err := a.days(ctx, in)
		if err != nil {
			return nil, err
		}
		out.Body.RangeBody = body
		out.Body.Days = make([]T, 0, len(days))
		for _, d := range days {
			out.Body.Days = append(out.Body.Days, show(dateOf(d.Day), d))
		}
		out.Body.Total = show("", total)
		return out, nil
	}
	register(a, route{
		method: http.MethodGet, path: path, id: "get-" + name + "-analytics", expensive: true, test: true, tag: "Analytics", roles: readers,
		errors: []int{404}, summary: summary,
	}, get)
	routeCSV(a, name, summary, func(ctx context.Context, in *RangeInput) (RangeBody, []T, error) {
		out, err := get(ctx, in)
		if err != nil {
			return RangeBody{}, nil, err
		}
		return out.Body.RangeBody, out.Body.Days, nil
	})
}

// routeCSV adds the CSV endpoint of an analysis, with one line for each row.
func routeCSV[T any](a *api, name, summary string, rows func(context.Context, *RangeInput) (RangeBody, []T, error)) {
	op := route{
		method: http.MethodGet, path: analyticsPath + name + ".csv", id: "get-" + name + "-analytics-csv", expensive: true, test: true, tag: "Analytics",
		roles: readers, errors: []int{404}, summary: summary + ", as CSV",
	}.operation(a)
	answersCSV(&op)
	huma.Register(a.huma, op, func(ctx context.Context, in *RangeInput) (*csvOutput, error) {
		about, list, err := rows(ctx, in)
		if err != nil {
			return nil, a.answerOf(ctx, err)
		}
		body, err := table(list)
		if err != nil {
			return nil, a.answerOf(ctx, err)
		}
		return csvFile(fmt.Sprintf("%s-%s-%s.csv", name, about.From, about.To), body), nil
	})
}

// days returns every day of a range and their sum.
func (a *api) days(ctx context.Context, in *RangeInput) (days []service.Day, total service.Day, body RangeBody, err error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, total, body, err
	}
	_, mode, err := in.reading(ctx)
	if err != nil {
		return nil, total, body, err
	}
	first, last, err := in.bounds(a.Now())
	if err != nil {
		return nil, total, body, err
	}
	days, total, asOf, err := a.s.Days(ctx, in.ID, mode, first, last)
	if err != nil {
		return nil, total, body, err
	}
	body = RangeBody{ProviderID: in.ID, From: dateOf(first), To: dateOf(last), AsOf: max(0, asOf.Unix())}
	return days, total, body, nil
}

type statsInput struct {
	ID string `path:"id" maxLength:"128" example:"prov_demo"`
	ModeQuery
}

type statsOutput struct {
	Body struct {
		ProviderID string           `json:"provider_id"`
		Live       shape.LiveCounts `json:"live" doc:"Sessions that have not ended, now"`
		Today      struct {
			Sessions int64 `json:"sessions"`
			Users    int64 `json:"users"`
			Captured int64 `json:"captured"`
		} `json:"today" doc:"Since midnight UTC"`
		Total struct {
			Sessions    int64 `json:"sessions"`
			Users       int64 `json:"users"`
			Captured    int64 `json:"captured"`
			Released    int64 `json:"released"`
			UsedSeconds int64 `json:"used_seconds"`
		} `json:"total"`
		AsOf int64 `json:"as_of" doc:"Time up to which today and total are counted; 0 before the first count"`
	}
}

func (a *api) stats(ctx context.Context, in *statsInput) (*statsOutput, error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, err
	}
	_, mode, err := in.reading(ctx)
	if err != nil {
		return nil, err
	}
	out := &statsOutput{}
	live, err := a.s.LiveCounts(ctx, in.ID, mode)
	if err != nil {
		return nil, err
	}
	totals, err := a.s.Totals(ctx, in.ID, mode)
	if err != nil {
		return nil, err
	}
	_, today, body, err := a.days(ctx, &RangeInput{ID: in.ID, ModeQuery: in.ModeQuery, From: dateOf(a.Now().Unix() / secondsADay)})
	if err != nil {
		return nil, err
	}
	b := &out.Body
	b.ProviderID, b.Live, b.AsOf = in.ID, live, body.AsOf
	b.Today.Sessions, b.Today.Users, b.Today.Captured = today.Sessions, today.Users, today.Captured
	b.Total.Sessions, b.Total.Users, b.Total.Captured = totals.Sessions, totals.Users, totals.Captured
	b.Total.Released, b.Total.UsedSeconds = totals.Released, totals.UsedSeconds
	return out, nil
}

// eventDay is the count of a page event on one day or, without a date, in the whole
// range.
type eventDay struct {
	Date     string `json:"date,omitempty"`
	Name     string `json:"name" example:"page_view" doc:"Name that the page chose; (other) collects the names of a day beyond 500"`
	Events   int64  `json:"events"`
	Sessions int64  `json:"sessions" doc:"Sessions that recorded the event for the first time"`
}

type eventCountsOutput struct {
	Body struct {
		RangeBody
		Events []eventDay `json:"events" nullable:"false" doc:"By day, most frequent first within a day; days and names without events are omitted"`
		Totals []eventDay `json:"totals" nullable:"false" doc:"Totals of the range, most frequent first"`
	}
}

// routeEventCounts adds the counts of page events. They identify no user.
func (a *api) routeEventCounts() {
	const summary = "Page events of live sessions by day and name"
	register(a, route{
		method: http.MethodGet, path: analyticsPath + "events", id: "get-events-analytics", expensive: true, test: true, tag: "Analytics", roles: readers,
		errors: []int{404}, summary: summary,
	}, a.eventCounts)
	routeCSV(a, "events", summary, func(ctx context.Context, in *RangeInput) (RangeBody, []eventDay, error) {
		out, err := a.eventCounts(ctx, in)
		if err != nil {
			return RangeBody{}, nil, err
		}
		return out.Body.RangeBody, out.Body.Events, nil
	})
}

func (a *api) eventCounts(ctx context.Context, in *RangeInput) (*eventCountsOutput, error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, err
	}
	now := a.Now()
	first, last, err := in.bounds(now)
	if err != nil {
		return nil, err
	}
	_, mode, err := in.reading(ctx)
	if err != nil {
		return nil, err
	}
	var found []service.EventDay
	if mode == service.LiveMode { // no other mode is counted
		if found, err = a.s.EventDays(ctx, in.ID, first, last); err != nil {
			return nil, err
		}
	}
	out := &eventCountsOutput{}
	// Events are counted as they arrive, unlike the figures of the other analyses.
	out.Body.RangeBody = RangeBody{ProviderID: in.ID, From: dateOf(first), To: dateOf(last), AsOf: now.Unix()}
	out.Body.Events, out.Body.Totals = make([]eventDay, 0, len(found)), []eventDay{}
	totals := map[string]eventDay{}
	for _, d := range found {
		out.Body.Events = append(out.Body.Events, eventDay{dateOf(d.Day), d.Name, d.Events, d.Sessions})
		t := totals[d.Name]
		totals[d.Name] = eventDay{Name: d.Name, Events: t.Events + d.Events, Sessions: t.Sessions + d.Sessions}
	}
	for _, t := range totals {
		out.Body.Totals = append(out.Body.Totals, t)
	}
	slices.SortFunc(out.Body.Totals, func(x, y eventDay) int {
		return cmp.Or(cmp.Compare(y.Events, x.Events), cmp.Compare(x.Name, y.Name))
	})
	return out, nil
}
