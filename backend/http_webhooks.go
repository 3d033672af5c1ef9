package backend

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// WebhookPath names a provider's webhook.
type WebhookPath struct {
	ID  string `path:"id" maxLength:"128" example:"prov_demo"`
	WID string `path:"wid" maxLength:"64" example:"wh_7x3kq2m5n4p6r8s9t2va"`
}

// webhookBody is a webhook as the API shows it.
type webhookBody struct {
	ID          string   `json:"id" example:"wh_7x3kq2m5n4p6r8s9t2va"`
	URL         string   `json:"url" example:"https://hooks.provider.com/sessiongate"`
	Events      []string `json:"events" nullable:"false" doc:"The types it wants; none: all"`
	Description string   `json:"description,omitempty"`
	Enabled     bool     `json:"enabled"`
	// Why and since when it is not.
	DisabledReason string `json:"disabled_reason,omitempty" enum:"gone,failing,requested" doc:"gone: it answered 410. failing: every attempt failed for five days"`
	DisabledAt     int64  `json:"disabled_at,omitempty"`
	FailingSince   int64  `json:"failing_since,omitempty" doc:"Since when every attempt has failed"`
	CreatedAt      int64  `json:"created_at"`
	UpdatedAt      int64  `json:"updated_at"`
}

func webhookBodyOf(h store.Webhook) webhookBody {
	if h.Events == nil {
		h.Events = []string{}
	}
	return webhookBody{
		ID: h.ID, URL: h.URL, Events: h.Events, Description: h.Description, Enabled: h.DisabledAt == 0,
		DisabledReason: h.DisabledReason, DisabledAt: h.DisabledAt, FailingSince: h.FailingSince,
		CreatedAt: h.CreatedAt, UpdatedAt: h.UpdatedAt,
	}
}

// webhookBodyFor is h as its caller may see it: to others than its provider, the
// query of its URL, which may be a secret between the two ends, is "…".
func webhookBodyFor(ctx context.Context, h store.Webhook) webhookBody {
	b := webhookBodyOf(h)
	if u, err := url.Parse(h.URL); callerOf(ctx).role != RoleProvider && err == nil && u.RawQuery != "" {
		u.RawQuery = ""
		b.URL = u.String() + "?…"
	}
	return b
}

type webhookOutput struct{ Body webhookBody }

// secretOutput shows a secret, this once.
type secretOutput struct {
	Body struct {
		Webhook webhookBody `json:"webhook"`
		Secret  string      `json:"secret" doc:"Signs every call. Shown this once" example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
		// Until when the secret before it signs too.
		OldSecretUntil int64 `json:"old_secret_until,omitempty"`
	}
}

type createWebhookInput struct {
	Idempotent
	ID   string `path:"id" maxLength:"128"`
	Body struct {
		URL         string   `json:"url" minLength:"1" maxLength:"2048" format:"uri" example:"https://hooks.provider.com/sessiongate"`
		Events      []string `json:"events,omitempty" maxItems:"20" example:"[\"session.started\",\"session.ended\"]" doc:"The types it wants; none: all"`
		Description string   `json:"description,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f]*$"`
	}
}

type patchWebhookInput struct {
	Idempotent
	WebhookPath
	Body struct {
		URL         *string   `json:"url,omitempty" minLength:"1" maxLength:"2048" format:"uri"`
		Events      *[]string `json:"events,omitempty" maxItems:"20"`
		Description *string   `json:"description,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f]*$"`
		Enabled     *bool     `json:"enabled,omitempty" doc:"false stops deliveries and gives up what waits; true starts them again"`
	}
}

type rotateSecretInput struct {
	Idempotent
	WebhookPath
	Body *struct {
		OverlapSeconds *int64 `json:"overlap_seconds,omitempty" minimum:"0" maximum:"604800" doc:"How long the old secret signs too. Default: 86400"`
	}
}

type webhookInput struct{ WebhookPath }

type deleteWebhookInput struct {
	Idempotent
	WebhookPath
}

type listWebhooksInput struct {
	ID string `path:"id" maxLength:"128"`
}

type listWebhooksOutput struct {
	Body struct {
		Webhooks []webhookBody `json:"webhooks" nullable:"false"`
	}
}

func (a *api) routeWebhooks() {
	const path = "/api/v1/providers/{id}/webhooks"
	own := []Role{RoleProvider}
	add := func(method, suffix, id, summary string, status int, errs ...int) route {
		roles := own
		if method == http.MethodGet {
			roles = readers
		}
		return route{
			method: method, path: path + suffix, id: id, tag: "Webhooks", summary: summary, roles: roles, status: status,
			errors: append([]int{404}, errs...),
		}
	}
	register(a, add(http.MethodPost, "", "create-webhook", "Register a URL; answers its secret, this once", 201, 409), a.createWebhook)
	register(a, add(http.MethodGet, "", "list-webhooks", "List a provider's webhooks", 0), a.listWebhooks)
	register(a, add(http.MethodGet, "/{wid}", "get-webhook", "Read a webhook", 0), a.readWebhook)
	register(a, add(http.MethodPatch, "/{wid}", "update-webhook", "Change, disable or enable a webhook", 0, 409), a.patchWebhook)
	register(a, add(http.MethodDelete, "/{wid}", "delete-webhook", "Remove a webhook and its deliveries", 204, 409), a.deleteWebhook)
	register(a, add(http.MethodPost, "/{wid}/rotate-secret", "rotate-webhook-secret", "Give it a new secret; both sign for a while", 0, 409), a.rotateSecret)
	register(a, add(http.MethodGet, "/{wid}/deliveries", "list-deliveries", "List deliveries, newest first", 0), a.listDeliveries)
	register(a, add(http.MethodGet, "/{wid}/deliveries/{did}", "get-delivery", "Read a delivery with its attempts", 0), a.readDelivery)
	register(a, add(http.MethodPost, "/{wid}/deliveries/{did}/replay", "replay-delivery", "Deliver one again", 202, 409), a.replayOne)
	register(a, add(http.MethodPost, "/{wid}/replay", "replay-deliveries", "Deliver again what was made in a range of time", 202, 409), a.replayRange)
	register(a, route{
		method: http.MethodPost, path: "/api/v1/webhooks/test", id: "test-webhook", tag: "Webhooks",
		summary: "Send a webhook a test message and see how it answers", roles: own, errors: []int{404, 409, 429},
	}, a.testWebhook)
}

// checkEvents refuses types that do not exist and drops those named twice.
func checkEvents(list []string) ([]string, error) {
	known := knownTypes()
	for i, e := range list {
		if !slices.Contains(known, e) {
			return nil, refuse(protocol.InvalidRequest, fmt.Sprintf("events[%d] is none of %s.", i, strings.Join(known, ", ")))
		}
	}
	sorted := slices.Sorted(slices.Values(list))
	return slices.Compact(sorted), nil
}

func (a *api) createWebhook(ctx context.Context, in *createWebhookInput) (*secretOutput, error) {
	if err := ownProvider(ctx, in.ID); err != nil {
		return nil, err
	}
	events, err := checkEvents(in.Body.Events)
	if err != nil {
		return nil, err
	}
	req, err := in.request(ctx, "create-webhook", in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	return shown(a.s.addWebhook(ctx, req, store.Webhook{ProviderID: in.ID, URL: in.Body.URL, Events: events, Description: in.Body.Description}))
}

func shown(h store.Webhook, err error) (*secretOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &secretOutput{}
	out.Body.Webhook, out.Body.Secret, out.Body.OldSecretUntil = webhookBodyOf(h), h.Secret, h.OldSecretUntil
	return out, nil
}

func (a *api) rotateSecret(ctx context.Context, in *rotateSecretInput) (*secretOutput, error) {
	if err := ownProvider(ctx, in.ID); err != nil {
		return nil, err
	}
	overlap := secretOverlap
	if in.Body != nil && in.Body.OverlapSeconds != nil {
		overlap = time.Duration(*in.Body.OverlapSeconds) * time.Second
	}
	req, err := in.request(ctx, "rotate-webhook-secret", in.WID, overlap)
	if err != nil {
		return nil, err
	}
	return shown(a.s.rotateSecret(ctx, req, in.ID, in.WID, overlap))
}

func (a *api) listWebhooks(ctx context.Context, in *listWebhooksInput) (*listWebhooksOutput, error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, err
	}
	list, err := a.s.store.Webhooks(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &listWebhooksOutput{}
	out.Body.Webhooks = make([]webhookBody, 0, len(list))
	for _, h := range list {
		out.Body.Webhooks = append(out.Body.Webhooks, webhookBodyFor(ctx, h))
	}
	return out, nil
}

func (a *api) readWebhook(ctx context.Context, in *webhookInput) (*webhookOutput, error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, err
	}
	h, err := webhookOf(ctx, a.s.store.Reader, in.ID, in.WID)
	if err != nil {
		return nil, err
	}
	return &webhookOutput{Body: webhookBodyFor(ctx, h)}, nil
}

func (a *api) patchWebhook(ctx context.Context, in *patchWebhookInput) (*webhookOutput, error) {
	if err := ownProvider(ctx, in.ID); err != nil {
		return nil, err
	}
	req, err := in.request(ctx, "update-webhook", in.WID, in.Body)
	if err != nil {
		return nil, err
	}
	p := webhookPatch{URL: in.Body.URL, Description: in.Body.Description, Enabled: in.Body.Enabled}
	if in.Body.Events != nil {
		events, err := checkEvents(*in.Body.Events)
		if err != nil {
			return nil, err
		}
		p.Events = &events
	}
	h, err := a.s.patchWebhook(ctx, req, in.ID, in.WID, p)
	if err != nil {
		return nil, err
	}
	return &webhookOutput{Body: webhookBodyOf(h)}, nil
}

func (a *api) deleteWebhook(ctx context.Context, in *deleteWebhookInput) (*struct{}, error) {
	if err := ownProvider(ctx, in.ID); err != nil {
		return nil, err
	}
	req, err := in.request(ctx, "delete-webhook", in.WID, nil)
	if err != nil {
		return nil, err
	}
	return nil, a.s.deleteWebhook(ctx, req, in.ID, in.WID)
}

// deliveryBody is a delivery as the API shows it.
type deliveryBody struct {
	ID         string `json:"id"`
	WebhookID  string `json:"webhook_id"`
	MessageID  string `json:"message_id" doc:"The webhook-id that the receiver sees, at every attempt and replay"`
	Type       string `json:"type" example:"session.ended"`
	SessionID  string `json:"session_id,omitempty"`
	Status     string `json:"status" enum:"pending,delivered,failed"`
	Attempts   int64  `json:"attempts"`
	LastStatus int64  `json:"last_status,omitempty" doc:"HTTP status of the last attempt; absent when no answer came"`
	NextTryAt  int64  `json:"next_try_at,omitempty"`
	CreatedAt  int64  `json:"created_at"`
	DoneAt     int64  `json:"done_at,omitempty"`
}

func deliveryBodyOf(d store.Delivery) deliveryBody {
	return deliveryBody{
		ID: d.ID, WebhookID: d.WebhookID, MessageID: d.MessageID, Type: d.Type, SessionID: d.SessionID, Status: d.Status,
		Attempts: d.Attempts, LastStatus: d.LastStatus, NextTryAt: d.NextAtMS / 1000, CreatedAt: d.CreatedMS / 1000, DoneAt: d.DoneMS / 1000,
	}
}

type attemptBody struct {
	Attempt  int64  `json:"attempt"`
	At       int64  `json:"at"`
	TookMS   int64  `json:"took_ms"`
	Status   int64  `json:"status" doc:"HTTP status; 0: no answer came"`
	Response string `json:"response" doc:"The answer's first 4 KiB, or why there was none"`
}

func attemptBodyOf(t store.Attempt) attemptBody {
	return attemptBody{Attempt: t.Attempt, At: t.AtMS / 1000, TookMS: t.TookMS, Status: t.Status, Response: t.Response}
}

type listDeliveriesInput struct {
	WebhookPath
	Status string `query:"status" enum:"pending,delivered,failed"`
	Cursor string `query:"cursor" maxLength:"256" doc:"next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type listDeliveriesOutput struct {
	Body struct {
		Deliveries []deliveryBody `json:"deliveries" nullable:"false"`
		NextCursor string         `json:"next_cursor,omitempty"`
	}
}

func (a *api) listDeliveries(ctx context.Context, in *listDeliveriesInput) (*listDeliveriesOutput, error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, err
	}
	if _, err := webhookOf(ctx, a.s.store.Reader, in.ID, in.WID); err != nil {
		return nil, err
	}
	f := store.DeliveryFilter{WebhookID: in.WID, Status: in.Status, Limit: in.Limit + 1}
	if in.Cursor != "" {
		var err error
		if f.BeforeMS, f.BeforeID, err = parseCursor(in.Cursor); err != nil {
			return nil, err
		}
	}
	list, err := a.s.store.Deliveries(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &listDeliveriesOutput{}
	if len(list) > in.Limit {
		list = list[:in.Limit]
		last := list[in.Limit-1]
		out.Body.NextCursor = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", last.CreatedMS, last.ID))
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
		Payload  string        `json:"payload" doc:"The body as it was signed"`
		Attempts []attemptBody `json:"attempts" nullable:"false" doc:"The newest first"`
	}
}

func (a *api) readDelivery(ctx context.Context, in *DeliveryPath) (*deliveryOutput, error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, err
	}
	if _, err := webhookOf(ctx, a.s.store.Reader, in.ID, in.WID); err != nil {
		return nil, err
	}
	d, err := a.s.store.Delivery(ctx, in.DID)
	if err != nil {
		return nil, err
	}
	if d.WebhookID != in.WID {
		return nil, store.ErrNotFound
	}
	attempts, err := a.s.store.Attempts(ctx, d.ID)
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
		Replayed int64 `json:"replayed" doc:"How many deliveries are due again"`
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
	return replayed(a.s.replay(ctx, req, in.ID, in.WID, in.DID, replayRange{}))
}

type replayRangeInput struct {
	Idempotent
	WebhookPath
	Body struct {
		Since      int64 `json:"since" minimum:"0" maximum:"99999999999" example:"1800000000" doc:"From this moment on"`
		Until      int64 `json:"until,omitempty" minimum:"0" maximum:"99999999999" doc:"Until before this moment. Default: now"`
		OnlyFailed bool  `json:"only_failed,omitempty" doc:"Leave out what was delivered"`
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
	r := replayRange{since: time.Unix(in.Body.Since, 0), until: time.Unix(in.Body.Until, 0), onlyFailed: in.Body.OnlyFailed}
	if in.Body.Until == 0 {
		r.until = a.s.now().Add(time.Millisecond)
	}
	return replayed(a.s.replay(ctx, req, in.ID, in.WID, "", r))
}

type testWebhookInput struct {
	Idempotent
	Body struct {
		WebhookID string `json:"webhook_id" minLength:"1" maxLength:"64" example:"wh_7x3kq2m5n4p6r8s9t2va"`
		Type      string `json:"type,omitempty" enum:"webhook.test,session.started,session.warning,session.extended,session.paused,session.resumed,session.ended" doc:"Which message to send, with made-up data. Default: webhook.test"`
	}
}

type testWebhookOutput struct {
	Body struct {
		Delivered bool         `json:"delivered" doc:"Whether it answered 2xx"`
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
		kind = webhookTest
	}
	d, t, err := a.s.testWebhook(ctx, req, callerOf(ctx).providerID, in.Body.WebhookID, kind)
	if err != nil {
		return nil, err
	}
	out := &testWebhookOutput{}
	out.Body.Delivered, out.Body.Delivery, out.Body.Attempt = d.Status == "delivered", deliveryBodyOf(d), attemptBodyOf(t)
	return out, nil
}
