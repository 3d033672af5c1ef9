package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/shape"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/backend/webhook"
	"github.com/sessiongate/sessiongate/internal/protocol"
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

// testLimit limits the test messages of one provider. Each test waits for the
// receiver, which may be slow and need not belong to the provider.
var testLimit = coord.Limit{Interval: time.Second, Burst: 20}

// Replay makes one delivery due again or, if deliveryID is empty, the deliveries that
// were created in the range r. It returns how many. A disabled webhook is refused.
func (s *Service) Replay(ctx context.Context, req Request, providerID, id, deliveryID string, r ReplayRange) (int64, error) {
	var replayed int64
	if deliveryID == "" {
		var err error
		if replayed, err = s.replayRange(ctx, req, providerID, id, r); err != nil {
			return 0, err
		}
	}
	return write(ctx, s, req, func(w *writeTx) (int64, error) {
		h, err := replayable(ctx, w.Reader, providerID, id)
		if err != nil {
			return 0, err
		}
		if h.RetryAtMS != 0 { // a requested replay need not wait
			h.RetryAtMS = 0
			if err := w.UpdateWebhook(ctx, h, time.Unix(h.UpdatedAt, 0)); err != nil {
				return 0, err
			}
		}
		w.enqueued++ // wakes the dispatcher
		if deliveryID == "" {
			return replayed, nil
		}
		return 1, w.Replay(ctx, id, deliveryID, w.now)
	})
}

// replayRange makes the deliveries of a range due again in batches, unless the request
// was answered before. If the request is interrupted, some deliveries have been
// replayed already. If it is sent again, it replays the rest.
func (s *Service) replayRange(ctx context.Context, req Request, providerID, id string, r ReplayRange) (int64, error) {
	answered, err := s.answered(ctx, req)
	if err != nil || answered {
		return 0, err
	}
	if _, err := replayable(ctx, s.store.Reader, providerID, id); err != nil {
		return 0, err
	}
	n, err := s.store.ReplayRange(ctx, id, r.Since, r.Until, r.OnlyFailed, s.now())
	if n > 0 {
		s.hooks.Wake()
	}
	return n, err
}

// replayable returns a webhook whose deliveries are to be replayed. It refuses a
// disabled one.
func replayable(ctx context.Context, r store.Reader, providerID, id string) (store.Webhook, error) {
	h, err := webhookOf(ctx, r, providerID, id)
	if err == nil && h.DisabledAt != 0 {
		err = Refuse(protocol.IllegalTransition, "The webhook is disabled. Enable it first.")
	}
	return h, err
}

// ReplayRange selects deliveries by the time of their creation.
type ReplayRange struct {
	Since, Until time.Time
	OnlyFailed   bool
}

// TestWebhook sends a test message to a webhook and returns the delivery and its
// attempt. The message is marked as a test and is not retried.
func (s *Service) TestWebhook(ctx context.Context, req Request, providerID, id, kind string) (store.Delivery, store.Attempt, error) {
	if err := s.limited(ctx, "webhook-tests:"+providerID, testLimit); err != nil {
		return store.Delivery{}, store.Attempt{}, err
	}
	deliveryID, err := write(ctx, s, req, func(w *writeTx) (string, error) {
		h, err := webhookOf(ctx, w.Reader, providerID, id)
		if err != nil {
			return "", err
		}
		if _, err := s.secretsOf(h); err != nil {
			return "", err
		}
		var data any = shape.TestData{WebhookID: id, Test: true}
		if kind != WebhookTest {
			data = sampleOf(kind, providerID, w.now)
		}
		body, err := json.Marshal(shape.Message[any]{Type: kind, Timestamp: w.now.UTC(), Data: data})
		if err != nil {
			return "", fmt.Errorf("announcing: %w", err)
		}
		message := "msg_test_" + shortID()
		d := store.Delivery{
			ID: message + "." + id, WebhookID: id, MessageID: message, Type: kind, Payload: string(body),
			// The delivery is leased to this request, so that the dispatcher does not
			// send it.
			NextAtMS: w.now.Add(webhook.Lease).UnixMilli(), CreatedMS: w.now.UnixMilli(),
		}
		return d.ID, w.InsertDelivery(ctx, d)
	})
	if err != nil {
		return store.Delivery{}, store.Attempt{}, err
	}
	if err := s.attemptNow(ctx, deliveryID); err != nil {
		return store.Delivery{}, store.Attempt{}, err
	}
	d, err := s.store.Delivery(ctx, deliveryID)
	if err != nil {
		return d, store.Attempt{}, err
	}
	attempts, err := s.store.Attempts(ctx, deliveryID)
	if err == nil && len(attempts) == 0 {
		err = &Refusal{Code: protocol.Unavailable, Detail: "The test is still running. See the webhook's deliveries for its result."}
	}
	if err != nil {
		return d, store.Attempt{}, err
	}
	return d, attempts[0], nil
}

// attemptNow makes the attempt of a test delivery. It does nothing if the attempt was
// made already, for example when the request is repeated.
func (s *Service) attemptNow(ctx context.Context, deliveryID string) error {
	d, err := s.store.Delivery(ctx, deliveryID)
	if err != nil || d.Attempts > 0 || d.Status != string(webhook.Pending) {
		return err
	}
	h, err := s.store.Webhook(ctx, d.WebhookID)
	if err != nil {
		return err
	}
	secrets, err := s.secretsOf(h)
	if err != nil {
		return err
	}
	err = s.store.Write(ctx, func(tx *store.Tx) (err error) {
		d, err = tx.ClaimDelivery(ctx, deliveryID, s.now().Add(webhook.Lease))
		return err
	})
	if err != nil {
		return err
	}
	job := jobOf(h, d, secrets)
	job.Try = webhook.MaxTries // no retry follows
	result, err := s.sender.Send(ctx, job.Message)
	if err != nil {
		return err
	}
	return s.finishAttempt(ctx, job, result)
}

// sampleOf returns the data of a test message. Its session does not exist.
func sampleOf(kind, providerID string, now time.Time) shape.SessionData {
	c := session.Session{
		ID: "00000000-0000-7000-8000-000000000000", UserID: "user_test", ProviderID: providerID, Status: session.Active, Version: 1,
		Clock: session.AtCreation, Tokens: 100, Duration: 600, ReturnURL: "https://market.example/done",
		CreatedAt: now.Unix(), StartedAt: now.Unix(), ExpiresAt: now.Unix() + 600,
	}
	data := shape.SessionData{Test: true}
	switch kind {
	case webhookTypes[session.Warned]:
		data.RemainingSeconds = 60
	case webhookTypes[session.Extended]:
		data.Extension = &shape.ExtensionBody{By: string(session.User), AdditionalSeconds: 300, TokensDeducted: 50, ExtendedAt: now.Unix()}
	case webhookTypes[session.PausedAt]:
		c.Status, c.PausedAt = session.Paused, now.Unix()
	case webhookTypes[session.Ended]:
		c.Status, c.EndedAt, c.EndReason = session.Completed, now.Unix(), "completed"
		c.Settlement = &session.Settlement{Captured: 60, Released: 40, UsedSeconds: 360}
	}
	data.Session = shape.SessionBodyOf(c)
	return data
}

// Deliveries lists a webhook's deliveries, newest first.
func (s *Service) Deliveries(ctx context.Context, providerID string, f store.DeliveryFilter) ([]store.Delivery, error) {
	if _, err := s.Webhook(ctx, providerID, f.WebhookID); err != nil {
		return nil, err
	}
	return s.store.Deliveries(ctx, f)
}

// Delivery returns a delivery of a webhook and its attempts, newest first.
func (s *Service) Delivery(ctx context.Context, providerID, webhookID, id string) (store.Delivery, []store.Attempt, error) {
	if _, err := s.Webhook(ctx, providerID, webhookID); err != nil {
		return store.Delivery{}, nil, err
	}
	d, err := s.store.Delivery(ctx, id)
	if err == nil && d.WebhookID != webhookID {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Delivery{}, nil, err
	}
	attempts, err := s.store.Attempts(ctx, id)
	return d, attempts, err
}
