// Package webhook delivers events to providers' servers, as the Standard Webhooks
// specification describes: signed with HMAC-SHA256 and delivered at least once.
// Retries may change the order of deliveries.
//
//	guard.go     which addresses may be called (SSRF protection)
//	attempt.go   one HTTP call: secrets, signatures, the request
//	schedule.go  when a delivery is tried again, as pure functions
//	health.go    when an endpoint may be called again, as pure functions
//	dispatch.go  the loop that sends due deliveries; one slow endpoint does not
//	             delay the others
//
// The service writes deliveries in the same transaction as the change that they
// report. This package claims due deliveries through [Queue]. A claim leases a
// delivery to one caller at a time:
//
//	pending ─claim─► leased ─2xx─────────► delivered
//	   ▲               │ ├─no more tries,
//	   │               │ │  410, disabled─► failed ─replay─► pending
//	   └── retry ──────┘ └─lease runs out: due again
package webhook

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// Lease is how long a claim lasts. It is longer than [AttemptTimeout], so that
	// a lease runs out only after a crash.
	Lease = time.Minute
	// How often the loop looks for deliveries that other processes wrote.
	pollEvery = time.Second
	// The most concurrent attempts to one endpoint. The limit keeps a slow endpoint
	// from using up all attempts.
	perEndpoint = 4
	// The same for an endpoint whose last attempt failed.
	perFailing = 1
	// The most concurrent attempts to all endpoints.
	atOnce = 512
	// How long running attempts may continue after a stop.
	stopGrace = 3 * time.Second
)

// Due is an endpoint with at least one due delivery.
type Due struct {
	WebhookID string
	Failing   bool
}

// Delivery is one claimed delivery.
type Delivery struct {
	ID        string
	WebhookID string
	Message   Message
	// The number of this try since the delivery was made or replayed.
	Try int
	// The number of this attempt altogether.
	Attempt int
	// Identifies the claim. Only the holder of the claim may finish the delivery.
	LeaseMS int64
}

// Queue stores deliveries. Claims are exclusive across processes.
type Queue interface {
	// Due lists every endpoint that has a due delivery.
	Due(ctx context.Context) ([]Due, error)
	// Claim leases up to n due deliveries of an endpoint.
	Claim(ctx context.Context, webhookID string, n int) ([]Delivery, error)
	// Finish records an attempt and the resulting state of the delivery.
	Finish(ctx context.Context, d Delivery, r Result) error
}

// Dispatcher sends due deliveries. Call [Dispatcher.Run] once.
type Dispatcher struct {
	queue  Queue
	sender *Sender
	log    *zap.Logger
	wake   chan struct{}

	mu      sync.Mutex // guards running, total
	running map[string]int
	total   int
}

// NewDispatcher returns a dispatcher that sends the deliveries of queue.
func NewDispatcher(queue Queue, sender *Sender, log *zap.Logger) *Dispatcher {
	return &Dispatcher{queue: queue, sender: sender, log: log, wake: make(chan struct{}, 1), running: map[string]int{}}
}

// Wake makes the dispatcher look for due deliveries now. It does not block.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default: // a wake-up is already pending
	}
}

// Run sends due deliveries until ctx ends, and then waits up to stopGrace for
// running attempts.
func (d *Dispatcher) Run(ctx context.Context) {
	// Attempts may continue after ctx ends: canceling a request that the receiver
	// has already handled would deliver it twice.
	attempts, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var all sync.WaitGroup
	for ctx.Err() == nil {
		if err := d.round(ctx, attempts, &all); err != nil && ctx.Err() == nil {
			d.log.Error("failed to claim webhook deliveries", zap.Error(err))
		}
		timer := time.NewTimer(pollEvery)
		select {
		case <-ctx.Done():
		case <-d.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	stop := time.AfterFunc(stopGrace, cancel)
	all.Wait()
	stop.Stop()
	d.sender.Close()
}

// round claims due deliveries, as far as the concurrency limits allow, and starts
// their attempts.
func (d *Dispatcher) round(ctx, attempts context.Context, all *sync.WaitGroup) error {
	list, err := d.queue.Due(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, due := range list {
		limit := perEndpoint
		if due.Failing {
			limit = perFailing
		}
		n := d.reserve(due.WebhookID, limit)
		if n == 0 {
			continue
		}
		claimed, err := d.queue.Claim(ctx, due.WebhookID, n)
		d.release(due.WebhookID, n-len(claimed))
		if err != nil { // continue with the other endpoints
			errs = append(errs, fmt.Errorf("webhook %s: %w", due.WebhookID, err))
			continue
		}
		for _, delivery := range claimed {
			all.Go(func() {
				defer d.Wake() // the endpoint may have more due deliveries
				defer d.release(delivery.WebhookID, 1)
				d.attempt(attempts, delivery)
			})
		}
	}
	return errors.Join(errs...)
}

func (d *Dispatcher) attempt(ctx context.Context, delivery Delivery) {
	result, err := d.sender.Send(ctx, delivery.Message)
	if ctx.Err() != nil {
		return // the lease runs out, and the delivery is tried again
	}
	if err != nil { // an error on our side; record it, so that the retry schedule applies
		d.log.Error("failed to send a webhook", zap.String("webhook", delivery.WebhookID), zap.String("delivery", delivery.ID), zap.Error(err))
		result = Result{Response: "the request could not be made", At: d.sender.now()}
	}
	if err := d.queue.Finish(ctx, delivery, result); err != nil {
		d.log.Error("failed to record a webhook attempt", zap.String("delivery", delivery.ID), zap.Error(err))
	}
}

// reserve reserves up to limit attempts to an endpoint and returns how many it got.
func (d *Dispatcher) reserve(webhookID string, limit int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := max(0, min(limit-d.running[webhookID], atOnce-d.total))
	if n > 0 {
		d.running[webhookID] += n
		d.total += n
	}
	return n
}

// release returns n reserved attempts.
func (d *Dispatcher) release(webhookID string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total -= n
	if d.running[webhookID] -= n; d.running[webhookID] <= 0 {
		delete(d.running, webhookID)
	}
}
