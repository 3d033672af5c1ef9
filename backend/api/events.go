package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
)

// eventDay is how often pages noticed something on one day, or, without a date,
// in the whole range.
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

// routeEventCounts adds what pages noticed: counts, and nothing of whom.
func (a *api) routeEventCounts() {
	const summary = "Page events by day and name"
	register(a, route{
		method: http.MethodGet, path: analyticsPath + "events", id: "get-events-analytics", tag: "Analytics", roles: readers,
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
	found, err := a.s.EventDays(ctx, in.ID, first, last)
	if err != nil {
		return nil, err
	}
	out := &eventCountsOutput{}
	// Counted as they arrive, unlike the other analyses.
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
