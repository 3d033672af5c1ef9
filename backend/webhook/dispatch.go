// Package webhook tells providers' servers what happened, by the Standard
// Webhooks specification: signed by HMAC-SHA256, at least once, in the order
// that retries allow.
//
//	guard.go     which addresses may be called
//	attempt.go   one HTTP call: secrets, signatures, the request
//	schedule.go  what follows from its answer: pure
//	dispatch.go  the loop that finds what is due, so that one dead endpoint
//	             delays no other
//
// What is to be told is written by the service in the transaction of the change
// itself. This package asks for what is due through [Queue], which hands each
// delivery to one caller for the length of a lease:
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
	// Lease is how long a claimed delivery is its claimer's: longer than an
	// attempt takes, so that only a crash lets it run out.
	Lease = time.Minute
	// How long the loop sleeps at most: what another process wrote is found then.
	pollEvery = time.Second
	// Attempts at once to one endpoint: one that is slow keeps no more waiting
	// than its own.
	perEndpoint = 4
	// And to one whose last attempt failed.
	perFailing = 1
	// Attempts at once altogether.
	atOnce = 512
	// What is left running when we stop gets this long.
	stopGrace = 3 * time.Second
)

// Due is an endpoint that has something to be delivered.
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
	// Names the claim: only its holder may finish the delivery.
	LeaseMS int64
}

// Queue is where deliveries wait. Claims are exclusive across processes.
type Queue interface {
	// Due lists every endpoint with something due.
	Due(ctx context.Context) ([]Due, error)
	// Claim leases up to n due deliveries of an endpoint.
	Claim(ctx context.Context, webhookID string, n int) ([]Delivery, error)
	// Finish records an attempt and what follows from it.
	Finish(ctx context.Context, d Delivery, r Result) error
}

// Dispatcher delivers what is due. It has one [Dispatcher.Run].
type Dispatcher struct {
	queue  Queue
	sender *Sender
	log    *zap.Logger
	wake   chan struct{}

	mu      sync.Mutex // guards running, total
	running map[string]int
	total   int
}

// NewDispatcher returns a dispatcher of queue.
func NewDispatcher(queue Queue, sender *Sender, log *zap.Logger) *Dispatcher {
	return &Dispatcher{queue: queue, sender: sender, log: log, wake: make(chan struct{}, 1), running: map[string]int{}}
}

// Wake tells the dispatcher that something may be due. It never waits.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Run delivers until ctx ends and all its attempts have.
func (d *Dispatcher) Run(ctx context.Context) {
	// Attempts outlive ctx a little: a receiver that has taken a call should
	// not get it again only because we stop.
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

// round claims what is due, as far as there is room, and starts its attempts.
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
		if err != nil { // it must not hold up the endpoints after it
			errs = append(errs, fmt.Errorf("webhook %s: %w", due.WebhookID, err))
			continue
		}
		for _, delivery := range claimed {
			all.Go(func() {
				defer d.Wake() // there may be more of the same
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
		return // its lease runs out, and somebody tries again
	}
	if err != nil { // ours to mend; recorded, so that it does not come back at once
		d.log.Error("failed to send a webhook", zap.String("webhook", delivery.WebhookID), zap.String("delivery", delivery.ID), zap.Error(err))
		result = Result{Response: "the request could not be made", At: d.sender.now()}
	}
	if err := d.queue.Finish(ctx, delivery, result); err != nil {
		d.log.Error("failed to record a webhook attempt", zap.String("delivery", delivery.ID), zap.Error(err))
	}
}

// reserve takes up to limit places for attempts to an endpoint and returns how many.
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

func (d *Dispatcher) release(webhookID string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total -= n
	if d.running[webhookID] -= n; d.running[webhookID] <= 0 {
		delete(d.running, webhookID)
	}
}
