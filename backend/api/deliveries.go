package api

import (
	"context"
	"time"

	"github.com/sessiongate/sessiongate/backend/service"
)

// deliveryBody is a delivery as the API shows it.
type deliveryBody struct {
	ID         string `json:"id"`
	WebhookID  string `json:"webhook_id"`
	MessageID  string `json:"message_id" doc:"The webhook-id header of every attempt and replay"`
	Type       string `json:"type" enum:"session.started,session.warning,session.extended,session.paused,session.resumed,session.ended,webhook.disabled,webhook.test" example:"session.ended"`
	SessionID  string `json:"session_id,omitempty"`
	Status     string `json:"status" enum:"pending,delivered,failed"`
	Attempts   int64  `json:"attempts"`
	LastStatus int64  `json:"last_status,omitempty" doc:"HTTP status of the last attempt; absent without a response"`
	NextTryAt  int64  `json:"next_try_at,omitempty"`
	CreatedAt  int64  `json:"created_at"`
	DoneAt     int64  `json:"done_at,omitempty"`
}

func deliveryBodyOf(d service.Delivery) deliveryBody {
	return deliveryBody{
		ID: d.ID, WebhookID: d.WebhookID, MessageID: d.MessageID, Type: d.Type, SessionID: d.SessionID, Status: d.Status,
		Attempts: d.Attempts, LastStatus: d.LastStatus, NextTryAt: d.NextAtMS / 1000, CreatedAt: d.CreatedMS / 1000, DoneAt: d.DoneMS / 1000,
	}
}

type attemptBody struct {
	Attempt  int64  `json:"attempt"`
	At       int64  `json:"at"`
	TookMS   int64  `json:"took_ms"`
	Status   int64  `json:"status" doc:"HTTP status; 0 without a response"`
	Response string `json:"response" doc:"The first 4 KiB of the response, or why there was none"`
}

func attemptBodyOf(t service.Attempt) attemptBody {
	return attemptBody{Attempt: t.Attempt, At: t.AtMS / 1000, TookMS: t.TookMS, Status: t.Status, Response: t.Response}
}

type listDeliveriesInput struct {
	WebhookPath
	Mode   string `query:"mode" enum:"live,test" doc:"List nothing unless the webhook is of this mode. Default: either"`
	Status string `query:"status" enum:"pending,delivered,failed"`
	Cursor string `query:"cursor" maxLength:"256" doc:"next_cursor of the previous page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type listDeliveriesOutput struct {
	Body struct {
		Mode       string         `json:"mode" enum:"live,test" doc:"The webhook's mode"`
		Deliveries []deliveryBody `json:"deliveries" nullable:"false"`
		NextCursor string         `json:"next_cursor,omitempty"`
	}
}

func (a *api) listDeliveries(ctx context.Context, in *listDeliveriesInput) (*listDeliveriesOutput, error) {
	h, err := a.webhookFor(ctx, in.WebhookPath)
	if err != nil {
		return nil, err
	}
	out := &listDeliveriesOutput{}
	out.Body.Mode, out.Body.Deliveries = h.Mode, []deliveryBody{}
	if in.Mode != "" && in.Mode != h.Mode {
		return out, nil
	}
	f := service.DeliveryFilter{WebhookID: in.WID, Status: in.Status, Limit: in.Limit + 1}
	if in.Cursor != "" {
		if f.BeforeMS, f.BeforeID, err = parseCursor(in.Cursor); err != nil {
			return nil, err
		}
	}
	list, err := a.s.Deliveries(ctx, in.ID, f)
	if err != nil {
		return nil, err
	}
	list, more := cut(list, in.Limit)
	if more {
		last := list[in.Limit-1]
		out.Body.NextCursor = cursorOf(last.CreatedMS, last.ID)
	}
	out.Body.Deliveries = make([]deliveryBody, 0, len(list))
	for _, d := range list {
		out.Body.Deliveries = append(out.Body.Deliveries, deliveryBodyOf(d))
	}
	return out, nil
}

// DeliveryPath names a delivery.
type DeliveryPath struct {
	WebhookPath
	DID string `path:"did" maxLength:"128"`
}

type deliveryOutput struct {
	Body struct {
		Delivery deliveryBody  `json:"delivery"`
		Payload  string        `json:"payload" doc:"The signed body"`
		Attempts []attemptBody `json:"attempts" nullable:"false" doc:"Newest first, at most 100"`
	}
}

func (a *api) readDelivery(ctx context.Context, in *DeliveryPath) (*deliveryOutput, error) {
	if _, err := a.webhookFor(ctx, in.WebhookPath); err != nil {
		return nil, err
	}
	d, attempts, err := a.s.Delivery(ctx, in.ID, in.WID, in.DID)
	if err != nil {
		return nil, err
	}
	out := &deliveryOutput{}
	out.Body.Delivery, out.Body.Payload = deliveryBodyOf(d), d.Payload
	out.Body.Attempts = make([]attemptBody, 0, len(attempts))
	for _, t := range attempts {
		out.Body.Attempts = append(out.Body.Attempts, attemptBodyOf(t))
	}
	return out, nil
}

type replayOutput struct {
	Body struct {
		Replayed int64 `json:"replayed" doc:"Number of deliveries that will be sent again"`
	}
}

func replayed(n int64, err error) (*replayOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &replayOutput{}
	out.Body.Replayed = n
	return out, nil
}

type replayOneInput struct {
	Idempotent
	DeliveryPath
	Body *nothing
}

func (a *api) replayOne(ctx context.Context, in *replayOneInput) (*replayOutput, error) {
	if err := ownProvider(ctx, in.ID); err != nil {
		return nil, err
	}
	req, err := in.request(ctx, "replay-delivery", in.DID, nil)
	if err != nil {
		return nil, err
	}
	return replayed(a.s.Replay(ctx, req, in.ID, in.WID, in.DID, service.ReplayRange{}))
}

type replayRangeInput struct {
	Idempotent
	WebhookPath
	Body struct {
		Since      int64 `json:"since" minimum:"0" maximum:"99999999999" example:"1800000000" doc:"Start of the range"`
		Until      int64 `json:"until,omitempty" minimum:"0" maximum:"99999999999" doc:"End of the range, exclusive. Default: now"`
		OnlyFailed bool  `json:"only_failed,omitempty" doc:"Skip deliveries that succeeded"`
	}
}

func (a *api) replayRange(ctx context.Context, in *replayRangeInput) (*replayOutput, error) {
	if err := ownProvider(ctx, in.ID); err != nil {
		return nil, err
	}
	req, err := in.request(ctx, "replay-deliveries", in.WID, in.Body)
	if err != nil {
		return nil, err
	}
	r := service.ReplayRange{Since: time.Unix(in.Body.Since, 0), Until: time.Unix(in.Body.Until, 0), OnlyFailed: in.Body.OnlyFailed}
	if in.Body.Until == 0 {
		r.Until = a.Now().Add(time.Millisecond)
	}
	return replayed(a.s.Replay(ctx, req, in.ID, in.WID, "", r))
}

type testWebhookInput struct {
	Idempotent
	Body struct {
		WebhookID string `json:"webhook_id" minLength:"1" maxLength:"64" example:"wh_7x3kq2m5n4p6r8s9t2va"`
		Type      string `json:"type,omitempty" enum:"webhook.test,session.started,session.warning,session.extended,session.paused,session.resumed,session.ended" doc:"Type of the message, which carries sample data. Default: webhook.test"`
	}
}

type testWebhookOutput struct {
	Body struct {
		Delivered bool         `json:"delivered" doc:"Whether the receiver answered 2xx"`
		Delivery  deliveryBody `json:"delivery"`
		Attempt   attemptBody  `json:"attempt"`
	}
}

func (a *api) testWebhook(ctx context.Context, in *testWebhookInput) (*testWebhookOutput, error) {
	req, err := in.request(ctx, "test-webhook", in.Body.WebhookID, in.Body)
	if err != nil {
		return nil, err
	}
	kind := in.Body.Type
	if kind == "" {
		kind = service.WebhookTest
	}
	d, t, err := a.s.TestWebhook(ctx, req, callerOf(ctx).ProviderID, in.Body.WebhookID, kind)
	if err != nil {
		return nil, err
	}
	out := &testWebhookOutput{}
	out.Body.Delivered, out.Body.Delivery, out.Body.Attempt = d.Status == "delivered", deliveryBodyOf(d), attemptBodyOf(t)
	return out, nil
}
