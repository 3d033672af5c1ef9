package api

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/backend/shape"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// WebhookPath is the path of a provider's webhook.
type WebhookPath struct {
	ID  string `path:"id" maxLength:"128" example:"prov_demo"`
	WID string `path:"wid" maxLength:"64" example:"wh_7x3kq2m5n4p6r8s9t2va"`
}

// webhookBody is the JSON of a webhook.
type webhookBody struct {
	ID          string   `json:"id" example:"wh_7x3kq2m5n4p6r8s9t2va"`
	URL         string   `json:"url" example:"https://hooks.provider.com/sessiongate"`
	Mode        string   `json:"mode" enum:"live,test" example:"live" doc:"live: receives messages about live sessions. test: about all others (test, staff, preview)"`
	Events      []string `json:"events" nullable:"false" doc:"Event types to deliver; empty: all"`
	Description string   `json:"description,omitempty"`
	Enabled     bool     `json:"enabled"`
	// Why and since when the webhook is disabled.
	DisabledReason string `json:"disabled_reason,omitempty" enum:"gone,failing,requested" doc:"gone: the receiver answered 410. failing: every attempt failed for five days"`
	DisabledAt     int64  `json:"disabled_at,omitempty"`
	FailingSince   int64  `json:"failing_since,omitempty" doc:"Time since which every attempt has failed"`
	RetryAt        int64  `json:"retry_at,omitempty" doc:"While attempts fail: the webhook is not called before this time"`
	CreatedAt      int64  `json:"created_at"`
	UpdatedAt      int64  `json:"updated_at"`
}

func webhookBodyOf(h service.Webhook) webhookBody {
	if h.Events == nil {
		h.Events = []string{}
	}
	return webhookBody{
		ID: h.ID, URL: h.URL, Mode: cmp.Or(h.Mode, service.LiveWebhook), Events: h.Events, Description: h.Description, Enabled: h.DisabledAt == 0,
		DisabledReason: h.DisabledReason, DisabledAt: h.DisabledAt, FailingSince: h.FailingSince, RetryAt: (h.RetryAtMS + 999) / 1000,
		CreatedAt: h.CreatedAt, UpdatedAt: h.UpdatedAt,
	}
}

// webhookBodyFor returns h as its caller may see it. The query of the URL may contain
// a secret: callers other than the provider see "…" in its place.
func webhookBodyFor(ctx context.Context, h service.Webhook) webhookBody {
	b := webhookBodyOf(h)
	if u, err := url.Parse(h.URL); callerOf(ctx).Role != service.RoleProvider && err == nil && u.RawQuery != "" {
		u.RawQuery = ""
		b.URL = u.String() + "?…"
	}
	return b
}

type webhookOutput struct{ Body webhookBody }

// secretOutput is the response to creating a webhook or rotating its secret. No other
// response contains the secret.
type secretOutput struct {
	Body struct {
		Webhook webhookBody `json:"webhook"`
		Secret  string      `json:"secret" doc:"Signs every request. Shown only once" example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
		// Until when messages are signed with the old secret, too.
		OldSecretUntil int64 `json:"old_secret_until,omitempty"`
	}
}

type createWebhookInput struct {
	Idempotent
	ID   string `path:"id" maxLength:"128"`
	Body struct {
		URL         string   `json:"url" minLength:"1" maxLength:"2048" format:"uri" example:"https://hooks.provider.com/sessiongate"`
		Mode        string   `json:"mode,omitempty" enum:"live,test" doc:"live: messages about live sessions. test: about all others. It cannot be changed later. Default: live"`
		Events      []string `json:"events,omitempty" maxItems:"20" example:"[\"session.started\",\"session.ended\"]" doc:"Event types to deliver; empty: all"`
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
		Enabled     *bool     `json:"enabled,omitempty" doc:"false stops deliveries and abandons pending ones; true resumes deliveries"`
	}
}

type rotateSecretInput struct {
	Idempotent
	WebhookPath
	Body *struct {
		OverlapSeconds *int64 `json:"overlap_seconds,omitempty" minimum:"0" maximum:"604800" doc:"How long the old secret also signs. Default: 86400"`
	}
}

type webhookInput struct{ WebhookPath }

type deleteWebhookInput struct {
	Idempotent
	WebhookPath
}

type listWebhooksInput struct {
	ID     string `path:"id" maxLength:"128"`
	Mode   string `query:"mode" enum:"live,test" doc:"Default: both; with a test key: test"`
	Cursor string `query:"cursor" maxLength:"256" doc:"next_cursor of the previous page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type listWebhooksOutput struct {
	Body struct {
		Webhooks   []webhookBody `json:"webhooks" nullable:"false" doc:"Oldest first"`
		NextCursor string        `json:"next_cursor,omitempty" doc:"Cursor of the next page; absent on the last page"`
	}
}

func (a *api) routeWebhooks() {
	const path = "/api/v1/providers/{id}/webhooks"
	own := []service.Role{service.RoleProvider}
	add := func(method, suffix, id, summary string, status int, errs ...int) route {
		roles := own
		if method == http.MethodGet {
			roles = readers
		}
		return route{
			method: method, path: path + suffix, id: id, tag: "Webhooks", summary: summary, roles: roles, status: status,
			test: method == http.MethodGet, errors: append([]int{404}, errs...),
		}
	}
	register(a, add(http.MethodPost, "", "create-webhook", "Create a webhook; returns its secret once", 201, 409), a.createWebhook)
	register(a, add(http.MethodGet, "", "list-webhooks", "List a provider's webhooks", 0), a.listWebhooks)
	register(a, add(http.MethodGet, "/{wid}", "get-webhook", "Read a webhook", 0), a.readWebhook)
	register(a, add(http.MethodPatch, "/{wid}", "update-webhook", "Update, disable or enable a webhook", 0, 409), a.patchWebhook)
	register(a, add(http.MethodDelete, "/{wid}", "delete-webhook", "Delete a webhook and its deliveries", 204, 409), a.deleteWebhook)
	register(a, add(http.MethodPost, "/{wid}/rotate-secret", "rotate-webhook-secret", "Rotate a webhook's secret; the old one also signs during the overlap", 0, 409), a.rotateSecret)
	register(a, add(http.MethodGet, "/{wid}/deliveries", "list-deliveries", "List deliveries, newest first", 0), a.listDeliveries)
	register(a, add(http.MethodGet, "/{wid}/deliveries/{did}", "get-delivery", "Read a delivery and its attempts", 0), a.readDelivery)
	register(a, add(http.MethodPost, "/{wid}/deliveries/{did}/replay", "replay-delivery", "Replay a delivery", 202, 409), a.replayOne)
	register(a, add(http.MethodPost, "/{wid}/replay", "replay-deliveries", "Replay the deliveries of a time range", 202, 409), a.replayRange)
	register(a, route{
		method: http.MethodPost, path: "/api/v1/webhooks/test", id: "test-webhook", tag: "Webhooks",
		summary: "Send a test message to a webhook and return its response", roles: own, errors: []int{404, 409, 429},
	}, a.testWebhook)
}

func (a *api) createWebhook(ctx context.Context, in *createWebhookInput) (*secretOutput, error) {
	if err := ownProvider(ctx, in.ID); err != nil {
		return nil, err
	}
	events, err := service.CheckEvents(in.Body.Events)
	if err != nil {
		return nil, err
	}
	req, err := in.request(ctx, "create-webhook", in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	return shown(a.s.AddWebhook(ctx, req, service.Webhook{ProviderID: in.ID, Mode: cmp.Or(in.Body.Mode, service.LiveWebhook), URL: in.Body.URL, Events: events, Description: in.Body.Description}))
}

func shown(h service.Webhook, err error) (*secretOutput, error) {
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
	overlap := service.SecretOverlap
	if in.Body != nil && in.Body.OverlapSeconds != nil {
		overlap = time.Duration(*in.Body.OverlapSeconds) * time.Second
	}
	req, err := in.request(ctx, "rotate-webhook-secret", in.WID, overlap)
	if err != nil {
		return nil, err
	}
	return shown(a.s.RotateSecret(ctx, req, in.ID, in.WID, overlap))
}

func (a *api) listWebhooks(ctx context.Context, in *listWebhooksInput) (*listWebhooksOutput, error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, err
	}
	mode, err := webhookMode(ctx, in.Mode)
	if err != nil {
		return nil, err
	}
	f := service.WebhookFilter{ProviderID: in.ID, Mode: mode, Limit: in.Limit + 1}
	if in.Cursor != "" {
		if f.AfterAt, f.AfterID, err = parseCursor(in.Cursor); err != nil {
			return nil, err
		}
	}
	list, err := a.s.Webhooks(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &listWebhooksOutput{}
	list, more := cut(list, in.Limit)
	if more {
		last := list[in.Limit-1]
		out.Body.NextCursor = cursorOf(last.CreatedAt, last.ID)
	}
	out.Body.Webhooks = make([]webhookBody, 0, len(list))
	for _, h := range list {
		out.Body.Webhooks = append(out.Body.Webhooks, webhookBodyFor(ctx, h))
	}
	return out, nil
}

// webhookMode returns the mode of the webhooks that the caller reads; empty: both.
func webhookMode(ctx context.Context, asked string) (string, error) {
	switch {
	case !callerOf(ctx).Test:
		return asked, nil
	case asked == service.LiveWebhook:
		return "", service.Refuse(protocol.Forbidden, "A test key reads test webhooks only. Use a live key.")
	}
	return service.TestWebhook, nil
}

// webhookFor returns a webhook that the caller may read.
func (a *api) webhookFor(ctx context.Context, p WebhookPath) (service.Webhook, error) {
	if err := a.readable(ctx, p.ID); err != nil {
		return service.Webhook{}, err
	}
	h, err := a.s.Webhook(ctx, p.ID, p.WID)
	if err == nil && callerOf(ctx).Test && h.Mode != service.TestWebhook {
		err = service.ErrNotFound
	}
	return h, err
}

func (a *api) readWebhook(ctx context.Context, in *webhookInput) (*webhookOutput, error) {
	h, err := a.webhookFor(ctx, in.WebhookPath)
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
	p := service.WebhookPatch{URL: in.Body.URL, Description: in.Body.Description, Enabled: in.Body.Enabled}
	if in.Body.Events != nil {
		events, err := service.CheckEvents(*in.Body.Events)
		if err != nil {
			return nil, err
		}
		p.Events = &events
	}
	h, err := a.s.PatchWebhook(ctx, req, in.ID, in.WID, p)
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
	return nil, a.s.DeleteWebhook(ctx, req, in.ID, in.WID)
}

// message describes one type of webhook message for the document.
type message struct {
	kind, summary string
	data          reflect.Type
}

var messages = []message{
	{"session.started", "A session's paid clock started", typeOf[shape.Message[shape.SessionData]]()},
	{"session.warning", "A session is about to end", typeOf[shape.Message[shape.SessionData]]()},
	{"session.extended", "More time was bought for a session", typeOf[shape.Message[shape.SessionData]]()},
	{"session.paused", "A session's clock was paused", typeOf[shape.Message[shape.SessionData]]()},
	{"session.resumed", "A session's clock was resumed", typeOf[shape.Message[shape.SessionData]]()},
	{"session.ended", "A session ended and was settled", typeOf[shape.Message[shape.SessionData]]()},
	{"webhook.disabled", "Another webhook of the provider was disabled", typeOf[shape.Message[shape.DisabledData]]()},
	{"webhook.test", "A test message, sent on request", typeOf[shape.Message[shape.TestData]]()},
}

// addMessages documents what a provider's webhooks receive, which OpenAPI calls
// webhooks, too.
func addMessages(doc *huma.OpenAPI) {
	text := &huma.Schema{Type: huma.TypeString}
	header := func(name, about, example string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Required: true, Schema: text, Description: about, Example: example}
	}
	doc.Webhooks = map[string]*huma.PathItem{}
	for _, m := range messages {
		body := huma.SchemaFromType(doc.Components.Schemas, m.data)
		kind := *body.Properties["type"]
		kind.Enum = []any{m.kind}
		own := *body
		own.Properties = map[string]*huma.Schema{"type": &kind, "timestamp": body.Properties["timestamp"], "data": body.Properties["data"]}
		if strings.HasPrefix(m.kind, "session.") {
			own.Properties["mode"] = body.Properties["mode"]
		}
		own.PrecomputeMessages()
		doc.Webhooks[m.kind] = &huma.PathItem{Post: &huma.Operation{
			OperationID: "receive-" + m.kind, Summary: m.summary, Tags: []string{"Webhooks"}, Security: []map[string][]string{{}},
			Description: "Sent to each enabled webhook that asked for " + m.kind + ", at least once, and signed as the Standard Webhooks specification defines it.",
			Parameters: []*huma.Param{
				header("webhook-id", "The same for every attempt and replay of a message", storyMessage),
				header("webhook-timestamp", "Time of the attempt, in Unix seconds", "1800001801"),
				header("webhook-signature", "One or more signatures, separated by spaces", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
			},
			RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: &own}}},
			Responses: map[string]*huma.Response{
				"2XX":     {Description: "Taken. The body is ignored"},
				"410":     {Description: "Gone: the webhook is disabled"},
				"default": {Description: "Not taken: the message is sent again later"},
			},
		}}
	}
}
