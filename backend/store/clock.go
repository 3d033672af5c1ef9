package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/backend/store/query"
)

// ErrNoClock is returned by [Store.Clock] for SQLite, which has the machine's clock.
var ErrNoClock = errors.New("SQLite has no clock of its own")

// Clock asks PostgreSQL for its time.
func (s *Store) Clock(ctx context.Context) (time.Time, error) {
	if s.engine != postgresEngine {
		return time.Time{}, ErrNoClock
	}
	var us int64
	err := s.read.QueryRowContext(ctx, "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)").Scan(&us)
	if err != nil {
		return time.Time{}, fmt.Errorf("asking the database for its time: %w", err)
	}
	return time.UnixMicro(us), nil
}

// Now returns PostgreSQL's time, or this machine's with SQLite or if PostgreSQL does not
// answer. Commands use it: what they write must fit what services on other machines
// read.
func (s *Store) Now(ctx context.Context) time.Time {
	if now, err := s.Clock(ctx); err == nil {
		return now
	}
	return time.Now()
}

// clockName is the row that holds the latest time at which the database was used.
const clockName = "clock"

// ClockMark returns the time of the last [Store.MarkClock]; the zero Time before the
// first.
func (r Reader) ClockMark(ctx context.Context) (time.Time, error) { return r.mark(ctx, clockName) }

// MarkClock records that it is now, so that a clock that is set back while no service
// runs is noticed.
func (s *Store) MarkClock(ctx context.Context, now time.Time) error {
	err := s.Write(ctx, func(tx *Tx) error { return tx.q.PutRollup(ctx, clockName, now.UnixMilli()) })
	if err != nil {
		return fmt.Errorf("recording the time: %w", err)
	}
	return nil
}

func (r Reader) mark(ctx context.Context, name string) (time.Time, error) {
	ms, err := r.q.GetRollup(ctx, name)
	if err = found(err); errors.Is(err, ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the time of %s: %w", name, err)
	}
	return time.UnixMilli(ms), nil
}

// ClockSetBack makes deliveries due, and webhooks that failed callable, that would
// wait for a time that the clock showed before it was set back to now. Some are tried
// earlier than planned; none waits longer. beyond is the wait that is left alone.
func (s *Store) ClockSetBack(ctx context.Context, now time.Time, beyond time.Duration) error {
	_, err := s.inBatches(ctx, "making deliveries due", func(tx *Tx) (int64, error) {
		return tx.q.MakeDue(ctx, now.UnixMilli(), now.Add(beyond).UnixMilli(), batchRows)
	})
	if err != nil {
		return err
	}
	_, err = s.inBatches(ctx, "making webhooks callable", func(tx *Tx) (int64, error) {
		return tx.q.MakeWebhooksCallable(ctx, query.MakeWebhooksCallableParams{
			NowMs: now.UnixMilli(), Now: now.Unix(), BeyondMs: now.Add(beyond).UnixMilli(), MaxRows: batchRows,
		})
	})
	return err
}

// ClockSetForward lets the idempotency keys that were valid before the clock was set
// from one time to another be valid for their whole time again: the hours that were
// left out have not passed for the clients that hold them.
func (s *Store) ClockSetForward(ctx context.Context, from, to time.Time) error {
	_, err := s.inBatches(ctx, "keeping idempotency keys", func(tx *Tx) (int64, error) {
		return tx.q.RenewIdempotencyKeys(ctx, query.RenewIdempotencyKeysParams{
			Now: to.Unix(), After: from.Add(-IdempotencyTTL).Unix(), Until: from.Unix(), MaxRows: batchRows,
		})
	})
	return err
}

// batchRows is how many rows one transaction of a long task changes: others that write
// wait no longer than that takes.
const batchRows = 500

// inBatches runs a step in a transaction of its own until it changes nothing, and
// returns how many rows it changed.
func (s *Store) inBatches(ctx context.Context, what string, step func(*Tx) (int64, error)) (total int64, err error) {
	for {
		var n int64
		err := s.Write(ctx, func(tx *Tx) (err error) {
			n, err = step(tx)
			return err
		})
		if err != nil {
			return total, fmt.Errorf("%s: %w", what, err)
		}
		if n == 0 {
			return total, nil
		}
		total += n
	}
}
