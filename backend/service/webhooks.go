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

// The types of webhook messages that no transition causes.
const (
	WebhookTest     = "webhook.test"
	webhookDisabled = "webhook.disabled"
)

// webhookTypes maps transitions to message types. Two transitions send no message,
// since providers need not act on them: a session was created but has not started,
// and a session was launched after its clock had started.
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

// enqueueTransition enqueues the message of a transition, if it has one, in the same
// transaction.
func (w *writeTx) enqueueTransition(ctx context.Context, tr session.Transition) error {
	kind := webhookTypes[tr.Name]
	if kind == "" {
		return nil
	}
	c := tr.Session
	data := shape.SessionData{Session: shape.SessionBodyOf(c)}
	if tr.Name == session.Warned {
		data.RemainingSeconds = c.Remaining(w.now)
	}
	if x := tr.Extension; x != nil {
		data.Extension = &shape.ExtensionBody{By: string(x.By), AdditionalSeconds: x.Seconds, TokensDeducted: x.Tokens, ExtendedAt: w.now.Unix()}
	}
	return w.enqueueWebhook(ctx, store.Announcement{
		MessageID: "msg_" + c.ID + "_" + strconv.FormatInt(c.Version, 10), ProviderID: c.ProviderID, Mode: webhookMode(c), Type: kind, SessionID: c.ID,
	}, data)
}

// enqueueWebhook enqueues a message to all webhooks of a provider that want its type.
func (w *writeTx) enqueueWebhook(ctx context.Context, a store.Announcement, data any) error {
	message := shape.Message[any]{Type: a.Type, Timestamp: w.now.UTC(), Data: data}
	if about, ok := data.(shape.SessionData); ok {
		message.Mode = about.Session.Mode
	}
	body, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("announcing: %w", err)
	}
	a.Payload = string(body)
	n, err := w.Announce(ctx, a, w.now)
	w.enqueued += n
	return err
}

// webhookOf returns a webhook of a provider. It returns [store.ErrNotFound] for a
// webhook of another provider.
func webhookOf(ctx context.Context, r store.Reader, providerID, id string) (store.Webhook, error) {
	h, err := r.Webhook(ctx, id)
	if err == nil && h.ProviderID != providerID {
		return store.Webhook{}, store.ErrNotFound
	}
	return h, err
}

// AddWebhook registers a webhook. The result contains the secret, also if the request
// is repeated with its idempotency key.
func (s *Service) AddWebhook(ctx context.Context, req Request, h store.Webhook) (store.Webhook, error) {
	if err := s.guard.Check(ctx, h.URL); err != nil {
		return h, badURL(err)
	}
	made, err := write(ctx, s, req, func(w *writeTx) (string, error) {
		registered, err := w.WebhookCount(ctx, h.ProviderID)
		if err != nil {
			return "", err
		}
		if _, err := w.Provider(ctx, h.ProviderID); err != nil {
			return "", err
		}
		if registered >= maxWebhooks {
			return "", Refuse(protocol.InvalidRequest, "A provider has at most "+strconv.Itoa(maxWebhooks)+" webhooks.")
		}
		fresh := h
		fresh.ID = "wh_" + shortID()
		fresh.Secret = s.seal.SealText(webhook.NewSecret(), fresh.ID)
		if err := w.changing(ctx, h.ProviderID, webhookItem(fresh.ID, true)); err != nil {
			return "", err
		}
		return fresh.ID, w.InsertWebhook(ctx, fresh, w.now)
	})
	if err != nil {
		return h, err
	}
	return s.withSecret(ctx, req, h.ProviderID, made)
}

// shortID returns 100 random bits as 20 characters.
func shortID() string { return strings.ToLower(rand.Text()[:20]) }

// withSecret returns a webhook with its secret decrypted. The secret is the current one,
// so it is shown only to a caller that may still change the webhook: a guest that repeats
// an earlier request must not read the secret that the provider has made since.
func (s *Service) withSecret(ctx context.Context, req Request, providerID, id string) (store.Webhook, error) {
	if err := s.guestMay(ctx, s.store.Reader, req, providerID, webhookItem(id, false)); err != nil {
		return store.Webhook{}, err
	}
	h, err := webhookOf(ctx, s.store.Reader, providerID, id)
	if err != nil {
		return h, err
	}
	h.Secret, err = s.seal.OpenText(h.Secret, h.ID)
	return h, err
}

// WebhookPatch is a change of a webhook. Nil fields stay as they are.
type WebhookPatch struct {
	URL         *string
	Events      *[]string
	Description *string
	Enabled     *bool
}

// PatchWebhook changes a webhook. Enabling it clears its failures; disabling it fails
// its pending deliveries.
func (s *Service) PatchWebhook(ctx context.Context, req Request, providerID, id string, p WebhookPatch) (store.Webhook, error) {
	if p.URL != nil {
		if err := s.guard.Check(ctx, *p.URL); err != nil {
			return store.Webhook{}, badURL(err)
		}
	}
	if err := s.guestMay(ctx, s.store.Reader, req, providerID, webhookItem(id, false)); err != nil {
		return store.Webhook{}, err
	}
	if p.Enabled != nil && *p.Enabled {
		// Fail all pending deliveries first. Otherwise deliveries of the disabled
		// webhook could be sent once it is enabled.
		if err := s.giveUp(ctx, providerID, id); err != nil {
			return store.Webhook{}, err
		}
	}
	h, err := write(ctx, s, req, func(w *writeTx) (store.Webhook, error) {
		h, err := webhookOf(ctx, w.Reader, providerID, id)
		if err != nil {
			return h, err
		}
		if err := w.changing(ctx, providerID, webhookItem(id, false)); err != nil {
			return h, err
		}
		if p.URL != nil && *p.URL != h.URL {
			setHealth(&h, webhook.Health{}) // the failures belong to the previous endpoint
		}
		set(&h.URL, p.URL)
		set(&h.Events, p.Events)
		set(&h.Description, p.Description)
		if p.Enabled != nil {
			switch {
			case *p.Enabled:
				h.DisabledAt, h.DisabledReason = 0, ""
				setHealth(&h, webhook.Health{})
			case h.DisabledAt == 0:
				h, err = w.disable(ctx, h, reasonRequested)
				return withoutSecrets(h), err
			}
		}
		err = w.saveWebhook(ctx, &h)
		return withoutSecrets(h), err
	})
	if err == nil && h.DisabledAt != 0 {
		err = s.giveUp(ctx, providerID, id)
	}
	return h, err
}

// giveUp fails all pending deliveries of a webhook that is disabled.
func (s *Service) giveUp(ctx context.Context, providerID, id string) error {
	h, err := webhookOf(ctx, s.store.Reader, providerID, id)
	if err != nil || h.DisabledAt == 0 {
		return err
	}
	return s.store.FailAllPending(ctx, id, s.now())
}

// withoutSecrets returns h without secrets, as stored answers must not hold them.
func withoutSecrets(h store.Webhook) store.Webhook {
	h.Secret, h.OldSecret = "", ""
	return h
}

// saveWebhook writes h and updates its version.
func (w *writeTx) saveWebhook(ctx context.Context, h *store.Webhook) error {
	if err := w.UpdateWebhook(ctx, *h, w.now); err != nil {
		return err
	}
	h.Version++
	h.UpdatedAt = w.now.Unix()
	return nil
}

// disable disables a webhook and fails its first pending deliveries. The others are not
// attempted, and [store.Store.FailAllPending] fails them after the transaction. A
// replay makes them due again.
func (w *writeTx) disable(ctx context.Context, h store.Webhook, reason string) (store.Webhook, error) {
	h.DisabledAt, h.DisabledReason = w.now.Unix(), reason
	if err := w.saveWebhook(ctx, &h); err != nil {
		return h, err
	}
	_, err := w.FailPending(ctx, h.ID, w.now)
	return h, err
}

// DeleteWebhook removes a webhook and its deliveries. If there are many, the webhook is
// disabled first, and they are removed in batches.
func (s *Service) DeleteWebhook(ctx context.Context, req Request, providerID, id string) error {
	if err := s.guestMay(ctx, s.store.Reader, req, providerID, webhookItem(id, false)); err != nil {
		return err
	}
	if err := s.deleteBacklog(ctx, req, providerID, id); err != nil {
		return err
	}
	_, err := write(ctx, s, req, func(w *writeTx) (struct{}, error) {
		if _, err := webhookOf(ctx, w.Reader, providerID, id); err != nil {
			return struct{}{}, err
		}
		if err := s.guestMay(ctx, w.Reader, req, providerID, webhookItem(id, false)); err != nil {
			return struct{}{}, err
		}
		if err := w.ConfirmGuestChange(ctx, providerID, store.WebhookItem(id)); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, w.DeleteWebhook(ctx, id)
	})
	return err
}

func (s *Service) deleteBacklog(ctx context.Context, req Request, providerID, id string) error {
	answered, err := s.answered(ctx, req)
	if err != nil || answered {
		return err
	}
	if _, err := webhookOf(ctx, s.store.Reader, providerID, id); err != nil {
		return err
	}
	if many, err := s.store.HasBacklog(ctx, id); err != nil || !many {
		return err
	}
	_, err = write(ctx, s, Request{}, func(w *writeTx) (struct{}, error) {
		h, err := webhookOf(ctx, w.Reader, providerID, id)
		if err == nil && h.DisabledAt == 0 {
			_, err = w.disable(ctx, h, reasonRequested)
		}
		return struct{}{}, err
	})
	if err != nil {
		return err
	}
	return s.store.DeleteDeliveries(ctx, id)
}

// RotateSecret gives a webhook a new secret. For the time of overlap, messages are
// signed with the old secret, too.
func (s *Service) RotateSecret(ctx context.Context, req Request, providerID, id string, overlap time.Duration) (store.Webhook, error) {
	_, err := write(ctx, s, req, func(w *writeTx) (struct{}, error) {
		h, err := webhookOf(ctx, w.Reader, providerID, id)
		if err != nil {
			return struct{}{}, err
		}
		if err := w.changing(ctx, providerID, webhookItem(id, false)); err != nil {
			return struct{}{}, err
		}
		h.OldSecret, h.OldSecretUntil = h.Secret, w.now.Add(overlap).Unix()
		h.Secret = s.seal.SealText(webhook.NewSecret(), h.ID)
		return struct{}{}, w.saveWebhook(ctx, &h)
	})
	if err != nil {
		return store.Webhook{}, err
	}
	return s.withSecret(ctx, req, providerID, id)
}

// badURL returns the refusal of a webhook URL, with the reason in err.
func badURL(err error) error {
	detail := "url is not a valid webhook URL."
	if errors.Is(err, webhook.ErrURL) {
		_, why, _ := strings.Cut(err.Error(), ": ")
		detail = "url is not a valid webhook URL: " + why + "."
	}
	return &Refusal{Code: protocol.InvalidRequest, Detail: detail, Cause: err}
}

// knownTypes returns the message types that a webhook may select.
func knownTypes() []string {
	list := []string{webhookDisabled}
	for _, t := range webhookTypes {
		list = append(list, t)
	}
	slices.Sort(list)
	return list
}

// Webhooks lists a provider's webhooks, oldest first.
func (s *Service) Webhooks(ctx context.Context, f store.WebhookFilter) ([]store.Webhook, error) {
	return s.store.Webhooks(ctx, f)
}

// Webhook returns a webhook of a provider. It returns [store.ErrNotFound] for a
// webhook of another provider.
func (s *Service) Webhook(ctx context.Context, providerID, id string) (store.Webhook, error) {
	return webhookOf(ctx, s.store.Reader, providerID, id)
}

// CheckEvents sorts list and removes duplicates. It refuses unknown message types.
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
