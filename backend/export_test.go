package backend

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/backend/store"
)

// AdvanceDue advances what is due now, as the expiry loop does.
func (b *Backend) AdvanceDue(ctx context.Context) (int, error) {
	total := 0
	for {
		n, err := b.service.AdvanceDue(ctx)
		total += n
		if n == 0 || err != nil {
			return total, err
		}
	}
}

// FlushBeats writes the heartbeats gathered so far.
func (b *Backend) FlushBeats(ctx context.Context) { b.service.FlushBeats(ctx) }

// Service is the use cases below the API.
func (b *Backend) Service() *service.Service { return b.service }

// Store is the backend's record.
func (b *Backend) Store() *store.Store { return b.store }

// Document is what /openapi.json says.
func (b *Backend) Document() *huma.OpenAPI { return b.document }

// WakeWebhooks makes the webhook loop look at once: the test's clock moved.
func (b *Backend) WakeWebhooks() { b.service.WakeWebhooks() }

// Rollup counts what changed, as the analytics loop does.
func (b *Backend) Rollup(ctx context.Context) (int, error) {
	return b.service.Rollup(ctx)
}

// FlushKeyUse writes when keys were used.
func (b *Backend) FlushKeyUse(ctx context.Context) error { return b.service.FlushKeyUse(ctx) }

// Forget removes what is old, as the housekeeping loop does.
func (b *Backend) Forget(ctx context.Context) error { return b.service.Forget(ctx, b.config.Now()) }

// CheckDueDomains asks DNS for the claims that are due, as the loop does.
func (b *Backend) CheckDueDomains(ctx context.Context) (int, error) {
	return b.service.CheckDueDomains(ctx)
}
