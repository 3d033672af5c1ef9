package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/sessiongate/sessiongate/backend/store/query"
)

// A webhook may have hundreds of thousands of deliveries. What concerns many of them
// is done in batches, each in a transaction of its own. A process that dies between
// two batches leaves the rest as it was.

// ReplayRange makes finished deliveries due again that were created at or after since
// and before until. With onlyFailed, it selects only failed ones. It returns how many,
// also those before an error.
func (s *Store) ReplayRange(ctx context.Context, webhookID string, since, until time.Time, onlyFailed bool, now time.Time) (int64, error) {
	p := query.ReplayDeliveriesParams{
		WebhookID: webhookID, NowMs: now.UnixMilli(), UntilMs: until.UnixMilli(),
		AfterMs: since.UnixMilli() - 1, AfterID: last, // after every delivery of the millisecond before
	}
	if onlyFailed {
		p.OnlyFailed = 1
	}
	var total int64
	for full := true; full; {
		end, err := s.q.BatchOfDeliveries(ctx, query.BatchOfDeliveriesParams{
			WebhookID: webhookID, AfterMs: p.AfterMs, AfterID: p.AfterID, UntilMs: p.UntilMs, Skipped: batchRows - 1,
		})
		p.LastMs, p.LastID = end.CreatedMS, end.ID
		if errors.Is(found(err), ErrNotFound) { // the last batch
			full, err = false, nil
			p.LastMs, p.LastID = math.MaxInt64, ""
		}
		if err != nil {
			return total, fmt.Errorf("replaying: %w", err)
		}
		var n int64
		err = s.Write(ctx, func(tx *Tx) (err error) {
			n, err = tx.q.ReplayDeliveries(ctx, p)
			return err
		})
		if err != nil {
			return total, fmt.Errorf("replaying: %w", err)
		}
		total += n
		p.AfterMs, p.AfterID = p.LastMs, p.LastID
	}
	return total, nil
}

// FailPending marks some pending deliveries of a webhook as failed, and returns how
// many.
func (t *Tx) FailPending(ctx context.Context, webhookID string, now time.Time) (int64, error) {
	n, err := t.q.FailPending(ctx, now.UnixMilli(), webhookID, batchRows)
	if err != nil {
		return 0, fmt.Errorf("giving up deliveries: %w", err)
	}
	return n, nil
}

// FailAllPending marks all pending deliveries of a webhook as failed, as long as the
// webhook is disabled.
func (s *Store) FailAllPending(ctx context.Context, webhookID string, now time.Time) error {
	_, err := s.inBatches(ctx, "giving up deliveries", func(tx *Tx) (int64, error) {
		h, err := tx.Webhook(ctx, webhookID)
		if errors.Is(err, ErrNotFound) || err == nil && h.DisabledAt == 0 {
			return 0, nil // removed or enabled meanwhile
		}
		if err != nil {
			return 0, err
		}
		return tx.FailPending(ctx, webhookID, now)
	})
	return err
}

// DisabledWaiting lists disabled webhooks that still have pending deliveries.
func (r Reader) DisabledWaiting(ctx context.Context) ([]string, error) {
	list, err := r.q.ListDisabledWaiting(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing disabled webhooks: %w", err)
	}
	return list, nil
}

// HasBacklog reports whether a webhook has more deliveries than one transaction should
// change.
func (r Reader) HasBacklog(ctx context.Context, webhookID string) (bool, error) {
	_, err := r.q.BatchOfDeliveries(ctx, query.BatchOfDeliveriesParams{WebhookID: webhookID, AfterMs: math.MinInt64, UntilMs: math.MaxInt64, Skipped: batchRows})
	if errors.Is(found(err), ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading deliveries: %w", err)
	}
	return true, nil
}

// DeleteDeliveries removes all deliveries of a webhook.
func (s *Store) DeleteDeliveries(ctx context.Context, webhookID string) error {
	_, err := s.inBatches(ctx, "removing deliveries", func(tx *Tx) (int64, error) {
		return tx.q.DeleteDeliveriesOfWebhook(ctx, webhookID, batchRows)
	})
	return err
}

// ForgetDeliveries removes the finished deliveries that were created before a time.
func (s *Store) ForgetDeliveries(ctx context.Context, before time.Time) error {
	_, err := s.inBatches(ctx, "removing old deliveries", func(tx *Tx) (int64, error) {
		return tx.q.DeleteDeliveries(ctx, before.UnixMilli(), batchRows)
	})
	return err
}

// ForgetLinks removes the portal links that ended before a time.
func (s *Store) ForgetLinks(ctx context.Context, before time.Time) error {
	_, err := s.inBatches(ctx, "removing old portal links", func(tx *Tx) (int64, error) {
		return tx.q.DeleteOldLinks(ctx, before.Unix(), batchRows)
	})
	return err
}
