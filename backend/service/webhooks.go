package service

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/shape"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/backend/webhook"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// The types of webhook messages beside those of [webhookTypes].
const (
	WebhookTest     = "webhook.test"
	webhookDisabled = "webhook.disabled"
)

// webhookTypes is the message type of each transition. What is missing is
// nothing that a provider acts on: a session that was sold and not yet begun,
// and the entry into one whose clock runs already.
var webhookTypes = map[session.Name]string{
	session.Started:  "session.started",
	session.Warned:   "session.warning",
	session.Extended: "session.extended",
	session.PausedAt: "session.paused",
	session.Resumed:  "session.resumed",
	session.Ended:    "session.ended",
}

const (
	maxWebhooks     = 20
	SecretOverlap   = 24 * time.Hour
	keepDeliveries  = 30 * 24 * time.Hour
	reasonGone      = "gone"
	reasonFailing   = "failing"
	reasonRequested = "requested"
)

// webhookMessage is the body of every message.
type webhookMessage struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      any       `json:"data"`
}

// webhookSession is the data of a message about a session.
type webhookSession struct {
	Session shape.SessionBody `json:"session"`
	// With session.warning.
	RemainingSeconds int64 `json:"remaining_seconds,omitempty"`
	// With session.extended.
	Extension *shape.ExtensionBody `json:"extension,omitempty"`
	// With a test delivery: nothing of it happened.
	Test bool `json:"test,omitempty"`
}

// enqueueTransition writes what a transition means for webhooks, into its transaction.
func (w *writeTx) enqueueTransition(ctx context.Context, tr session.Transition) error {
	kind := webhookTypes[tr.Name]
	if kind == "" {
		return nil
	}
	c := tr.Session
	data := webhookSession{Session: shape.SessionBodyOf(c)}
	if tr.Name == session.Warned {
		data.RemainingSeconds = c.Remaining(w.now)
	}
	if x := tr.Extension; x != nil {
		data.Extension = &shape.ExtensionBody{By: string(x.By), AdditionalSeconds: x.Seconds, TokensDeducted: x.Tokens, ExtendedAt: w.now.Unix()}
	}
	return w.enqueueWebhook(ctx, store.Announcement{
		MessageID: "msg_" + c.ID + "_" + strconv.FormatInt(c.Version, 10), ProviderID: c.ProviderID, Type: kind, SessionID: c.ID,
	}, data)
}

// enqueueWebhook enqueues a message with data to a provider's webhooks.
func (w *writeTx) enqueueWebhook(ctx context.Context, a store.Announcement, data any) error {
	body, err := json.Marshal(webhookMessage{Type: a.Type, Timestamp: w.now.UTC(), Data: data})
	if err != nil {
		return fmt.Errorf("announcing: %w", err)
	}
	a.Payload = string(body)
	n, err := w.Announce(ctx, a, w.now)
	w.told += n
	return err
}

// webhook reads a provider's webhook. Another's is not found.
func webhookOf(ctx context.Context, r store.Reader, providerID, id string) (store.Webhook, error) {
	h, err := r.Webhook(ctx, id)
	if err == nil && h.ProviderID != providerID {
		return store.Webhook{}, store.ErrNotFound
	}
	return h, err
}

// AddWebhook registers a URL. Its secret is in the answer, also when the same
// request comes again.
func (s *Service) AddWebhook(ctx context.Context, req Request, h store.Webhook) (store.Webhook, error) {
	if err := s.guard.Check(ctx, h.URL); err != nil {
		return h, badURL(err)
	}
	made, err := write(ctx, s, req, func(w *writeTx) (string, error) {
		list, err := w.Webhooks(ctx, h.ProviderID)
		if err != nil {
			return "", err
		}
		if _, err := w.Provider(ctx, h.ProviderID); err != nil {
			return "", err
		}
		if len(list) >= maxWebhooks {
			return "", Refuse(protocol.InvalidRequest, "A provider has at most "+strconv.Itoa(maxWebhooks)+" webhooks.")
		}
		fresh := h
		fresh.ID = "wh_" + shortID()
		fresh.Secret = s.seal.SealText(webhook.NewSecret(), fresh.ID)
		return fresh.ID, w.InsertWebhook(ctx, fresh, w.now)
	})
	if err != nil {
		return h, err
	}
	return s.withSecret(ctx, h.ProviderID, made)
}

// shortID is 100 random bits.
func shortID() string { return strings.ToLower(rand.Text()[:20]) }

// withSecret reads a webhook and opens its secret.
func (s *Service) withSecret(ctx context.Context, providerID, id string) (store.Webhook, error) {
	h, err := webhookOf(ctx, s.store.Reader, providerID, id)
	if err != nil {
		return h, err
	}
	h.Secret, err = s.seal.OpenText(h.Secret, h.ID)
	return h, err
}

// WebhookPatch is what changes; nil fields stay.
type WebhookPatch struct {
	URL         *string
	Events      *[]string
	Description *string
	Enabled     *bool
}

func (s *Service) PatchWebhook(ctx context.Context, req Request, providerID, id string, p WebhookPatch) (store.Webhook, error) {
	if p.URL != nil {
		if err := s.guard.Check(ctx, *p.URL); err != nil {
			return store.Webhook{}, badURL(err)
		}
	}
	return write(ctx, s, req, func(w *writeTx) (store.Webhook, error) {
		h, err := webhookOf(ctx, w.Reader, providerID, id)
		if err != nil {
			return h, err
		}
		set(&h.URL, p.URL)
		set(&h.Events, p.Events)
		set(&h.Description, p.Description)
		if p.Enabled != nil {
			switch {
			case *p.Enabled:
				h.DisabledAt, h.DisabledReason, h.FailingSince = 0, "", 0
			case h.DisabledAt == 0:
				h, err = w.disable(ctx, h, reasonRequested)
				return withoutSecrets(h), err
			}
		}
		err = w.saveWebhook(ctx, &h)
		return withoutSecrets(h), err
	})
}

// withoutSecrets is h as an answer may be remembered.
func withoutSecrets(h store.Webhook) store.Webhook {
	h.Secret, h.OldSecret = "", ""
	return h
}

func (w *writeTx) saveWebhook(ctx context.Context, h *store.Webhook) error {
	if err := w.UpdateWebhook(ctx, *h, w.now); err != nil {
		return err
	}
	h.Version++
	h.UpdatedAt = w.now.Unix()
	return nil
}

// disable stops a webhook and gives up what waits for it, until a replay.
func (w *writeTx) disable(ctx context.Context, h store.Webhook, reason string) (store.Webhook, error) {
	h.DisabledAt, h.DisabledReason = w.now.Unix(), reason
	if err := w.saveWebhook(ctx, &h); err != nil {
		return h, err
	}
	return h, w.FailPending(ctx, h.ID, w.now)
}

func (s *Service) DeleteWebhook(ctx context.Context, req Request, providerID, id string) error {
	_, err := write(ctx, s, req, func(w *writeTx) (struct{}, error) {
		if _, err := webhookOf(ctx, w.Reader, providerID, id); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, w.DeleteWebhook(ctx, id)
	})
	return err
}

// RotateSecret gives a webhook a new secret. Both sign until overlap is over.
func (s *Service) RotateSecret(ctx context.Context, req Request, providerID, id string, overlap time.Duration) (store.Webhook, error) {
	_, err := write(ctx, s, req, func(w *writeTx) (struct{}, error) {
		h, err := webhookOf(ctx, w.Reader, providerID, id)
		if err != nil {
			return struct{}{}, err
		}
		h.OldSecret, h.OldSecretUntil = h.Secret, w.now.Add(overlap).Unix()
		h.Secret = s.seal.SealText(webhook.NewSecret(), h.ID)
		return struct{}{}, w.saveWebhook(ctx, &h)
	})
	if err != nil {
		return store.Webhook{}, err
	}
	return s.withSecret(ctx, providerID, id)
}

func badURL(err error) error {
	detail := "url is not a valid webhook URL."
	if errors.Is(err, webhook.ErrURL) {
		_, why, _ := strings.Cut(err.Error(), ": ")
		detail = "url is not a valid webhook URL: " + why + "."
	}
	return &Refusal{Code: protocol.InvalidRequest, Detail: detail, Cause: err}
}

// knownTypes is every type that a webhook may ask for.
func knownTypes() []string {
	list := []string{webhookDisabled}
	for _, t := range webhookTypes {
		list = append(list, t)
	}
	slices.Sort(list)
	return list
}

// Webhooks lists a provider's webhooks.
func (s *Service) Webhooks(ctx context.Context, providerID string) ([]store.Webhook, error) {
	return s.store.Webhooks(ctx, providerID)
}

// Webhook reads a provider's webhook. Another's is not found.
func (s *Service) Webhook(ctx context.Context, providerID, id string) (store.Webhook, error) {
	return webhookOf(ctx, s.store.Reader, providerID, id)
}

// CheckEvents refuses types that do not exist and drops those named twice.
func CheckEvents(list []string) ([]string, error) {
	known := knownTypes()
	for i, e := range list {
		if !slices.Contains(known, e) {
			return nil, Refuse(protocol.InvalidRequest, fmt.Sprintf("events[%d] must be one of %s.", i, strings.Join(known, ", ")))
		}
	}
	sorted := slices.Sorted(slices.Values(list))
	return slices.Compact(sorted), nil
}
