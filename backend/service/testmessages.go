package service

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/shape"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/backend/webhook"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// testLimit limits the test messages of one provider. Each test waits for the
// receiver, which may be slow and need not belong to the provider.
var testLimit = coord.Limit{Interval: time.Second, Burst: 20}

// TestWebhook sends a test message to a webhook and returns the delivery and its
// attempt. The message is marked as a test and is not retried.
func (s *Service) TestWebhook(ctx context.Context, req Request, providerID, id, kind string) (store.Delivery, store.Attempt, error) {
	if err := s.limited(ctx, "webhook_tests", providerID, testLimit); err != nil {
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
		content := shape.Message[any]{Type: kind, Timestamp: w.now.UTC(), Data: shape.TestData{WebhookID: id, Test: true}}
		if kind != WebhookTest {
			sample := sampleOf(kind, providerID, w.now)
			if h.Mode == store.TestWebhook {
				sample.Session.Mode = protocol.TestMode
			}
			content.Mode, content.Data = sample.Session.Mode, sample
		}
		body, err := json.Marshal(content)
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
		CreatedAt: now.Unix(), StartedAt: now.Unix(), EnteredAt: now.Unix(), ExpiresAt: now.Unix() + 600,
		Purchases: []session.Purchase{{By: session.Marketplace, Seconds: 600, Tokens: 100, At: now.Unix()}},
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
		c.Purchases[0].Captured, c.Purchases[0].Released, c.Purchases[0].UsedSeconds = 60, 40, 360
	}
	data.Session = shape.SessionBodyOf(c)
	return data
}
