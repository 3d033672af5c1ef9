package store

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/backend/store/query"
)

// Webhook is an endpoint that receives a provider's messages.
type Webhook struct {
	ID         string
	ProviderID string
	// LiveWebhook or TestWebhook.
	Mode string
	URL  string
	// The message types to deliver. Empty: all.
	Events      []string
	Description string
	Secret      string
	// The secret before the last rotation, and until when it also signs.
	OldSecret      string
	OldSecretUntil int64
	Version        int64
	// 0 while the webhook is enabled.
	DisabledAt     int64
	DisabledReason string
	// The time since which every attempt has failed; 0 after a success.
	FailingSince int64
	// The attempts that failed since the last success, not counting those that ran at
	// the same time as the one before them; the last of them, and when the endpoint may
	// be called again. 0 after a success.
	Failures     int64
	LastFailedAt int64
	RetryAtMS    int64
	CreatedAt    int64
	UpdatedAt    int64
}

// The modes of a [Webhook]: live ones receive messages about live sessions, test ones
// about all others.
const (
	LiveWebhook = "live"
	TestWebhook = "test"
)

// Delivery is the delivery of one message to one webhook.
type Delivery struct {
	ID        string
	WebhookID string
	MessageID string
	Type      string
	SessionID string
	Payload   string
	Status    string
	// The attempts since it was created or replayed, and the attempts in total.
	Tries, Attempts int64
	// When it is due or its lease ends; 0 once it is delivered or failed.
	NextAtMS   int64
	CreatedMS  int64
	DoneMS     int64
	LastStatus int64
}

// Attempt is one attempt of a delivery.
type Attempt struct {
	DeliveryID string
	Attempt    int64
	AtMS       int64
	TookMS     int64
	// The HTTP status; 0 if there was no response.
	Status   int64
	Response string
}

// Announcement is a message for all webhooks of a provider that want its type.
type Announcement struct {
	// The unique id of the message.
	MessageID  string
	ProviderID string
	// The mode of the webhooks that receive it. Empty: any.
	Mode      string
	Type      string
	SessionID string
	Payload   string
}

func webhookFrom(r query.Webhook) Webhook {
	w := Webhook{
		ID: r.ID, ProviderID: r.ProviderID, Mode: r.Mode, URL: r.Url, Description: r.Description, Secret: r.Secret,
		OldSecret: r.OldSecret, OldSecretUntil: r.OldSecretUntil, Version: r.Version, DisabledAt: r.DisabledAt,
		DisabledReason: r.DisabledReason, FailingSince: r.FailingSince,
		Failures: r.Failures, LastFailedAt: r.LastFailedAt, RetryAtMS: r.RetryAtMs, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
	if r.Events != "" {
		w.Events = strings.Split(strings.Trim(r.Events, ","), ",")
	}
	return w
}

// spelled returns event types as they are stored: each one between commas, so that a
// LIKE pattern matches whole types.
func spelled(events []string) string {
	if len(events) == 0 {
		return ""
	}
	return "," + strings.Join(events, ",") + ","
}

// Webhook returns the webhook with this id, or [ErrNotFound].
func (r Reader) Webhook(ctx context.Context, id string) (Webhook, error) {
	row, err := r.q.GetWebhook(ctx, id)
	if err != nil {
		return Webhook{}, fmt.Errorf("reading webhook: %w", found(err))
	}
	return webhookFrom(row), nil
}

// WebhookFilter selects webhooks of one provider.
type WebhookFilter struct {
	ProviderID string
	Mode       string // empty: both
	// Webhooks created after the one with this time and id. Zero: from the oldest.
	AfterAt int64
	AfterID string
	Limit   int
}

// Webhooks lists webhooks, oldest first.
func (r Reader) Webhooks(ctx context.Context, f WebhookFilter) ([]Webhook, error) {
	rows, err := r.q.ListWebhooks(ctx, query.ListWebhooksParams{ProviderID: f.ProviderID, Mode: f.Mode, AfterAt: f.AfterAt, AfterID: f.AfterID, MaxRows: int32(f.Limit)})
	if err != nil {
		return nil, fmt.Errorf("listing webhooks: %w", err)
	}
	list := make([]Webhook, 0, len(rows))
	for _, row := range rows {
		list = append(list, webhookFrom(row))
	}
	return list, nil
}

// WebhookCount counts a provider's webhooks.
func (r Reader) WebhookCount(ctx context.Context, providerID string) (int64, error) {
	n, err := r.q.CountWebhooks(ctx, providerID)
	if err != nil {
		return 0, fmt.Errorf("counting webhooks: %w", err)
	}
	return n, nil
}

// SealedSecrets maps up to limit enabled webhooks to their secrets, if those are sealed.
func (r Reader) SealedSecrets(ctx context.Context, limit int) (map[string]string, error) {
	rows, err := r.q.ListSealedSecrets(ctx, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("reading webhooks' secrets: %w", err)
	}
	secrets := make(map[string]string, len(rows))
	for _, row := range rows {
		secrets[row.ID] = row.Secret
	}
	return secrets, nil
}

// InsertWebhook writes a new webhook.
func (t *Tx) InsertWebhook(ctx context.Context, w Webhook, now time.Time) error {
	err := t.q.InsertWebhook(ctx, query.InsertWebhookParams{
		ID: w.ID, ProviderID: w.ProviderID, Url: w.URL, Events: spelled(w.Events), Description: w.Description,
		Secret: w.Secret, CreatedAt: now.Unix(), Mode: cmp.Or(w.Mode, LiveWebhook),
	})
	if err != nil {
		return fmt.Errorf("writing webhook: %w", err)
	}
	return nil
}

// UpdateWebhook writes a webhook. It returns [ErrConflict] if the webhook changed since
// it was read.
func (t *Tx) UpdateWebhook(ctx context.Context, w Webhook, now time.Time) error {
	n, err := t.q.UpdateWebhook(ctx, query.UpdateWebhookParams{
		ID: w.ID, OldVersion: w.Version, Url: w.URL, Events: spelled(w.Events), Description: w.Description,
		Secret: w.Secret, OldSecret: w.OldSecret, OldSecretUntil: w.OldSecretUntil, DisabledAt: w.DisabledAt,
		DisabledReason: w.DisabledReason, FailingSince: w.FailingSince,
		Failures: w.Failures, LastFailedAt: w.LastFailedAt, RetryAtMs: w.RetryAtMS, UpdatedAt: now.Unix(),
	})
	if err != nil {
		return fmt.Errorf("writing webhook: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("writing webhook: %w", ErrConflict)
	}
	return nil
}

// DeleteWebhook removes a webhook and its deliveries. It returns [ErrNotFound] if there
// is no such webhook.
func (t *Tx) DeleteWebhook(ctx context.Context, id string) error {
	n, err := t.q.DeleteWebhook(ctx, id)
	if err != nil {
		return fmt.Errorf("removing webhook: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("removing webhook: %w", ErrNotFound)
	}
	return nil
}

// Announce writes a delivery for each webhook that wants the message, and returns how
// many. Call it in the transaction of the change that the message reports.
func (t *Tx) Announce(ctx context.Context, a Announcement, now time.Time) (int64, error) {
	n, err := t.q.Announce(ctx, query.AnnounceParams{
		MessageID: a.MessageID, ProviderID: a.ProviderID, Mode: a.Mode, Type: a.Type, SessionID: a.SessionID, Payload: a.Payload,
		NowMs: now.UnixMilli(), Pattern: "%," + a.Type + ",%",
	})
	if err != nil {
		return 0, fmt.Errorf("announcing: %w", err)
	}
	return n, nil
}

// InsertDelivery writes a delivery that is due at d.NextAtMS.
func (t *Tx) InsertDelivery(ctx context.Context, d Delivery) error {
	err := t.q.InsertDelivery(ctx, query.InsertDeliveryParams{
		ID: d.ID, WebhookID: d.WebhookID, MessageID: d.MessageID, Type: d.Type, Payload: d.Payload,
		NextAtMS: d.NextAtMS, CreatedMS: d.CreatedMS,
	})
	if err != nil {
		return fmt.Errorf("writing delivery: %w", err)
	}
	return nil
}

// DueWebhook is a webhook that has due deliveries.
type DueWebhook struct {
	ID           string
	FailingSince int64
}

// DueWebhooks lists enabled webhooks that have due deliveries, by id, starting after
// the id after.
func (r Reader) DueWebhooks(ctx context.Context, after string, now time.Time, limit int) ([]DueWebhook, error) {
	rows, err := r.q.DueWebhooks(ctx, after, now.UnixMilli(), int32(limit))
	if err != nil {
		return nil, fmt.Errorf("reading due webhooks: %w", err)
	}
	list := make([]DueWebhook, 0, len(rows))
	for _, row := range rows {
		list = append(list, DueWebhook(row))
	}
	return list, nil
}

// ClaimDeliveries leases up to n due deliveries of a webhook to its caller. Until the
// time until, no other caller can claim them.
func (t *Tx) ClaimDeliveries(ctx context.Context, webhookID string, now, until time.Time, n int) ([]Delivery, error) {
	rows, err := t.q.ClaimDeliveries(ctx, query.ClaimDeliveriesParams{
		WebhookID: webhookID, NowMs: now.UnixMilli(), LeaseMs: until.UnixMilli(), MaxRows: int32(n),
	})
	if err != nil {
		return nil, fmt.Errorf("claiming deliveries: %w", err)
	}
	list := make([]Delivery, 0, len(rows))
	for _, row := range rows {
		list = append(list, Delivery(row))
	}
	slices.SortFunc(list, func(a, b Delivery) int { return int(a.CreatedMS - b.CreatedMS) })
	return list, nil
}

// ClaimDelivery leases one delivery, even if it is not due.
func (t *Tx) ClaimDelivery(ctx context.Context, id string, until time.Time) (Delivery, error) {
	row, err := t.q.ClaimDelivery(ctx, until.UnixMilli(), id)
	if err != nil {
		return Delivery{}, fmt.Errorf("claiming delivery: %w", found(err))
	}
	return Delivery(row), nil
}

// keptAttempts is how many attempts of one delivery are kept, the newest.
const keptAttempts = 30

// FinishDelivery records an attempt of a leased delivery and its new state. If another
// caller holds the lease by now, it writes nothing and returns false.
func (t *Tx) FinishDelivery(ctx context.Context, d Delivery, a Attempt, leaseMS int64) (bool, error) {
	n, err := t.q.FinishDelivery(ctx, query.FinishDeliveryParams{
		ID: d.ID, LeaseMs: leaseMS, Status: d.Status, NextAtMS: d.NextAtMS, DoneMS: d.DoneMS, LastStatus: a.Status,
	})
	if err != nil {
		return false, fmt.Errorf("finishing delivery: %w", err)
	}
	if n == 0 {
		return false, nil
	}
	if err := t.q.InsertAttempt(ctx, query.InsertAttemptParams(a)); err != nil {
		return false, fmt.Errorf("recording attempt: %w", err)
	}
	// A delivery can be replayed any number of times.
	if old := a.Attempt - keptAttempts; old > 0 {
		if err := t.q.DeleteAttempts(ctx, a.DeliveryID, old); err != nil {
			return false, fmt.Errorf("removing old attempts: %w", err)
		}
	}
	return true, nil
}

// Delivery returns the delivery with this id, or [ErrNotFound].
func (r Reader) Delivery(ctx context.Context, id string) (Delivery, error) {
	row, err := r.q.GetDelivery(ctx, id)
	if err != nil {
		return Delivery{}, fmt.Errorf("reading delivery: %w", found(err))
	}
	return Delivery(row), nil
}

// Attempts lists the newest attempts of a delivery, newest first.
func (r Reader) Attempts(ctx context.Context, deliveryID string) ([]Attempt, error) {
	rows, err := r.q.ListAttempts(ctx, deliveryID)
	if err != nil {
		return nil, fmt.Errorf("listing attempts: %w", err)
	}
	list := make([]Attempt, 0, len(rows))
	for _, row := range rows {
		list = append(list, Attempt(row))
	}
	return list, nil
}

// DeliveryFilter selects deliveries of one webhook.
type DeliveryFilter struct {
	WebhookID string
	Status    string // empty: any
	// List deliveries older than the one with this time and id. Zero: start with the
	// newest.
	BeforeMS int64
	BeforeID string
	Limit    int
}

// Deliveries lists deliveries, newest first.
func (r Reader) Deliveries(ctx context.Context, f DeliveryFilter) ([]Delivery, error) {
	if f.BeforeMS == 0 {
		f.BeforeMS = math.MaxInt64
	}
	var rows []query.WebhookDelivery
	var err error
	if f.Status == "" {
		rows, err = r.q.ListDeliveries(ctx, query.ListDeliveriesParams{
			WebhookID: f.WebhookID, BeforeMs: f.BeforeMS, BeforeID: f.BeforeID, MaxRows: int32(f.Limit),
		})
	} else {
		rows, err = r.q.ListDeliveriesOfStatus(ctx, query.ListDeliveriesOfStatusParams{
			WebhookID: f.WebhookID, Status: f.Status, BeforeMs: f.BeforeMS, BeforeID: f.BeforeID, MaxRows: int32(f.Limit),
		})
	}
	if err != nil {
		return nil, fmt.Errorf("listing deliveries: %w", err)
	}
	list := make([]Delivery, 0, len(rows))
	for _, row := range rows {
		list = append(list, Delivery(row))
	}
	return list, nil
}

// Replay makes a delivery due again, whatever its state.
func (t *Tx) Replay(ctx context.Context, webhookID, id string, now time.Time) error {
	n, err := t.q.ReplayDelivery(ctx, now.UnixMilli(), id, webhookID)
	if err != nil {
		return fmt.Errorf("replaying: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("replaying: %w", ErrNotFound)
	}
	return nil
}
