package service

import (
	"context"
	"time"

	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

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

// ReplayRange selects deliveries by the time of their creation.
type ReplayRange struct {
	Since, Until time.Time
	OnlyFailed   bool
}

// Replay makes one delivery due again or, if deliveryID is empty, the deliveries that
// were created in the range r. It returns how many. A disabled webhook is refused.
func (s *Service) Replay(ctx context.Context, req Request, providerID, id, deliveryID string, r ReplayRange) (int64, error) {
	answered, err := s.answered(ctx, req)
	if err == nil && !answered {
		err = s.limitReplays(ctx, providerID)
	}
	if err != nil {
		return 0, err
	}
	var replayed int64
	if deliveryID == "" {
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
