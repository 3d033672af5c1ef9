package service

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/shape"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/backend/webhook"
)

// webhookQueue implements the dispatcher's queue on the database.
type webhookQueue struct{ s *Service }

var _ webhook.Queue = webhookQueue{}

// Due implements [webhook.Queue].
func (q webhookQueue) Due(ctx context.Context) ([]webhook.Due, error) {
	const page = 500
	var list []webhook.Due
	for after := ""; ; {
		rows, err := q.s.store.DueWebhooks(ctx, after, q.s.now(), page)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			list = append(list, webhook.Due{WebhookID: row.ID, Failing: row.FailingSince != 0})
		}
		if len(rows) < page {
			return list, nil
		}
		after = rows[page-1].ID
	}
}

// Claim implements [webhook.Queue].
func (q webhookQueue) Claim(ctx context.Context, webhookID string, n int) ([]webhook.Delivery, error) {
	h, err := q.s.store.Webhook(ctx, webhookID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil // the webhook was removed with its deliveries
	}
	if err != nil {
		return nil, err
	}
	if h.DisabledAt != 0 || h.RetryAtMS > q.s.now().UnixMilli() {
		return nil, nil // the webhook was disabled, or failed at another service, after it became due
	}
	secrets, err := q.s.secretsOf(h)
	if err != nil {
		// Do not claim the deliveries: a claim counts as an attempt.
		// [Service.checkSeal] reports the error.
		return nil, nil //nolint:nilerr // the deliveries wait for the key
	}
	var rows []store.Delivery
	err = q.s.store.Write(ctx, func(tx *store.Tx) (err error) {
		now := q.s.now()
		rows, err = tx.ClaimDeliveries(ctx, webhookID, now, now.Add(webhook.Lease), n)
		return err
	})
	if err != nil {
		return nil, err
	}
	list := make([]webhook.Delivery, 0, len(rows))
	for _, row := range rows {
		list = append(list, jobOf(h, row, secrets))
	}
	return list, nil
}

// Finish implements [webhook.Queue].
func (q webhookQueue) Finish(ctx context.Context, d webhook.Delivery, r webhook.Result) error {
	return q.s.finishAttempt(ctx, d, r)
}

// secretsOf returns the secrets that sign a webhook's messages, or [seal.ErrSealed].
// During the overlap of a rotation, an old secret that cannot be read does not sign.
func (s *Service) secretsOf(h store.Webhook) ([]string, error) {
	secret, err := s.seal.OpenText(h.Secret, h.ID)
	if err != nil {
		return nil, fmt.Errorf("reading a webhook's secret: %w", err)
	}
	secrets := []string{secret}
	if h.OldSecret != "" && s.now().Unix() < h.OldSecretUntil {
		if old, err := s.seal.OpenText(h.OldSecret, h.ID); err == nil {
			secrets = append(secrets, old)
		}
	}
	return secrets, nil
}

// jobOf returns a claimed delivery with everything that an attempt needs.
func jobOf(h store.Webhook, d store.Delivery, secrets []string) webhook.Delivery {
	return webhook.Delivery{
		ID: d.ID, WebhookID: d.WebhookID, Try: int(d.Tries), Attempt: int(d.Attempts), LeaseMS: d.NextAtMS,
		Message: webhook.Message{ID: d.MessageID, URL: h.URL, Secrets: secrets, Body: []byte(d.Payload)},
	}
}

// checkSeal logs an error if webhooks' secrets cannot be read. Their messages wait, and
// there is no other sign of the problem.
func (s *Service) checkSeal(ctx context.Context) error {
	const most = 10_000
	sealed, err := s.store.SealedSecrets(ctx, most)
	if err != nil {
		return err
	}
	unreadable := 0
	for id, secret := range sealed {
		if _, err := s.seal.OpenText(secret, id); err != nil {
			unreadable++
		}
	}
	if unreadable > 0 {
		s.log.Error("webhooks are not called: their secrets were sealed with another key; set SESSIONGATE_SEAL_KEY to that key, or rotate their secrets",
			zap.Int("webhooks", unreadable))
	}
	return nil
}

// finishAttempt records an attempt, the time of the next one, and the health of the
// endpoint.
func (s *Service) finishAttempt(ctx context.Context, d webhook.Delivery, r webhook.Result) error {
	decision := webhook.Decide(d.Try, r, mathrand.Float64())
	row := store.Delivery{ID: d.ID, Status: string(decision.Status)}
	if decision.Status == webhook.Pending {
		row.NextAtMS = decision.Next.UnixMilli()
	}
	attempt := store.Attempt{
		DeliveryID: d.ID, Attempt: int64(d.Attempt), AtMS: r.At.UnixMilli(), TookMS: r.Took.Milliseconds(),
		Status: int64(r.Code), Response: r.Response,
	}
	disabled, err := write(ctx, s, Request{}, func(w *writeTx) (string, error) {
		if decision.Status != webhook.Pending {
			row.DoneMS = w.now.UnixMilli()
		}
		ours, err := w.FinishDelivery(ctx, row, attempt, d.LeaseMS)
		if err != nil || !ours {
			return "", err
		}
		return w.recordWebhookHealth(ctx, d.WebhookID, r, decision.Gone)
	})
	if err != nil {
		return err
	}
	s.metric.attempts.WithLabelValues(resultClass(r.Code)).Inc()
	if disabled != "" {
		s.metric.disabled.WithLabelValues(disabled).Inc()
		s.log.Warn("webhook disabled", zap.String("webhook", d.WebhookID), zap.String("reason", disabled))
		return s.store.FailAllPending(ctx, d.WebhookID, s.now())
	}
	return nil
}

// recordWebhookHealth updates the health of an endpoint after an attempt. It disables a
// webhook whose endpoint is gone or has failed for days. It then returns the reason and
// notifies the provider's other webhooks.
func (w *writeTx) recordWebhookHealth(ctx context.Context, id string, r webhook.Result, gone bool) (reason string, err error) {
	h, err := w.Webhook(ctx, id)
	if err != nil || h.DisabledAt != 0 {
		return "", err
	}
	before := healthOf(h)
	health := before.After(r, w.now, mathrand.Float64())
	if health == before {
		return "", nil
	}
	setHealth(&h, health)
	switch {
	case gone:
		reason = reasonGone
	case health.GivesUp():
		reason = reasonFailing
	default:
		return "", w.UpdateWebhook(ctx, h, time.Unix(h.UpdatedAt, 0)) // keeps the time of the last edit
	}
	if _, err := w.disable(ctx, h, reason); err != nil {
		return "", err
	}
	return reason, w.enqueueWebhook(ctx, store.Announcement{
		MessageID: "msg_" + h.ID + "_" + strconv.FormatInt(h.Version, 10), ProviderID: h.ProviderID, Type: webhookDisabled,
	}, shape.DisabledData{WebhookID: h.ID, URL: h.URL, Reason: reason, FailingSince: h.FailingSince})
}

// healthOf reads the health of a webhook's endpoint.
func healthOf(h store.Webhook) webhook.Health {
	if h.FailingSince == 0 {
		return webhook.Health{}
	}
	return webhook.Health{
		FailingSince: time.Unix(h.FailingSince, 0), LastFailed: time.Unix(h.LastFailedAt, 0), Failures: h.Failures, RetryAt: time.UnixMilli(h.RetryAtMS),
	}
}

// setHealth writes the health of a webhook's endpoint.
func setHealth(h *store.Webhook, health webhook.Health) {
	h.FailingSince, h.LastFailedAt, h.Failures, h.RetryAtMS = 0, 0, 0, 0
	if !health.FailingSince.IsZero() {
		h.FailingSince, h.LastFailedAt = health.FailingSince.Unix(), health.LastFailed.Unix()
		h.Failures, h.RetryAtMS = health.Failures, health.RetryAt.UnixMilli()
	}
}

// resultClass returns an attempt's result as a metric label, one of seven.
func resultClass(code int) string {
	if code < 100 || code > 599 {
		return "none"
	}
	return strconv.Itoa(code/100) + "xx"
}
