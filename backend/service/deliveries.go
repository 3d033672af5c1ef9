package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/backend/webhook"
)

// webhookQueue is the record as the dispatcher sees it.
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
		return nil, nil // removed meanwhile, and its deliveries with it
	}
	if err != nil {
		return nil, err
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
		job, err := q.s.job(h, row)
		if err != nil {
			return nil, err
		}
		list = append(list, job)
	}
	return list, nil
}

// Finish implements [webhook.Queue].
func (q webhookQueue) Finish(ctx context.Context, d webhook.Delivery, r webhook.Result) error {
	return q.s.finishAttempt(ctx, d, r)
}

// job is a claimed delivery with all that an attempt needs.
func (s *Service) job(h store.Webhook, d store.Delivery) (webhook.Delivery, error) {
	secret, err := s.seal.OpenText(h.Secret, h.ID)
	if err != nil {
		return webhook.Delivery{}, fmt.Errorf("reading a webhook's secret: %w", err)
	}
	secrets := []string{secret}
	if h.OldSecret != "" && s.now().Unix() < h.OldSecretUntil {
		old, err := s.seal.OpenText(h.OldSecret, h.ID)
		if err != nil {
			return webhook.Delivery{}, fmt.Errorf("reading a webhook's secret: %w", err)
		}
		secrets = append(secrets, old)
	}
	return webhook.Delivery{
		ID: d.ID, WebhookID: d.WebhookID, Try: int(d.Tries), Attempt: int(d.Attempts), LeaseMS: d.NextAtMS,
		Message: webhook.Message{ID: d.MessageID, URL: h.URL, Secrets: secrets, Body: []byte(d.Payload)},
	}, nil
}

// finishAttempt records an attempt, when to try again, and what it says of the
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
	}
	return nil
}

// recordWebhookHealth keeps what an attempt says of its endpoint, and disables one that is
// gone or has failed for days. It returns why, and tells the provider's others.
func (w *writeTx) recordWebhookHealth(ctx context.Context, id string, r webhook.Result, gone bool) (reason string, err error) {
	h, err := w.Webhook(ctx, id)
	if err != nil || h.DisabledAt != 0 {
		return "", err
	}
	switch {
	case r.OK() && h.FailingSince == 0:
		return "", nil
	case r.OK():
		h.FailingSince = 0
		return "", w.saveWebhook(ctx, &h)
	case gone:
		reason = reasonGone
	case h.FailingSince == 0:
		h.FailingSince = w.now.Unix()
		return "", w.saveWebhook(ctx, &h)
	case webhook.GivesUp(time.Unix(h.FailingSince, 0), w.now):
		reason = reasonFailing
	default:
		return "", nil
	}
	if _, err := w.disable(ctx, h, reason); err != nil {
		return "", err
	}
	return reason, w.enqueueWebhook(ctx, store.Announcement{
		MessageID: "msg_" + h.ID + "_" + strconv.FormatInt(h.Version, 10), ProviderID: h.ProviderID, Type: webhookDisabled,
	}, map[string]any{"webhook_id": h.ID, "url": h.URL, "reason": reason, "failing_since": cmp.Or(h.FailingSince, w.now.Unix())})
}

// resultClass is an attempt's result as a label: one of seven.
func resultClass(code int) string {
	if code < 100 || code > 599 {
		return "none"
	}
	return strconv.Itoa(code/100) + "xx"
}
