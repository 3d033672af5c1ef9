-- name: DueWebhooks :many
-- DueWebhooks is the webhooks that may be called and have something due, one row
-- each however much.
SELECT w.id, w.failing_since FROM webhooks w
WHERE w.id > sqlc.arg(after) AND w.disabled_at = 0 AND w.retry_at_ms <= CAST(sqlc.arg(now_ms) AS BIGINT) AND EXISTS (
    SELECT 1 FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.next_at_ms > 0 AND d.next_at_ms <= CAST(sqlc.arg(now_ms) AS BIGINT)
) ORDER BY w.id LIMIT sqlc.arg(max_rows);

-- name: ClaimDeliveries :many
-- ClaimDeliveries leases what is due. The outer condition is asked again of a
-- row that another claim changed meanwhile, so two never get the same.
UPDATE webhook_deliveries SET next_at_ms = CAST(sqlc.arg(lease_ms) AS BIGINT), tries = tries + 1, attempts = attempts + 1
WHERE id IN (
    SELECT d.id FROM webhook_deliveries d
    WHERE d.webhook_id = sqlc.arg(webhook_id) AND d.next_at_ms > 0 AND d.next_at_ms <= CAST(sqlc.arg(now_ms) AS BIGINT)
    ORDER BY d.next_at_ms LIMIT sqlc.arg(max_rows)
) AND next_at_ms > 0 AND next_at_ms <= CAST(sqlc.arg(now_ms) AS BIGINT)
RETURNING *;

-- name: ClaimDelivery :one
UPDATE webhook_deliveries SET next_at_ms = sqlc.arg(lease_ms), tries = tries + 1, attempts = attempts + 1
WHERE id = sqlc.arg(id) AND status = 'pending'
RETURNING *;

-- name: FinishDelivery :execrows
-- FinishDelivery records how an attempt went, if its lease is still the one given.
UPDATE webhook_deliveries SET status = sqlc.arg(status), next_at_ms = sqlc.arg(next_at_ms), done_ms = sqlc.arg(done_ms), last_status = sqlc.arg(last_status)
WHERE id = sqlc.arg(id) AND next_at_ms = sqlc.arg(lease_ms);

-- name: InsertAttempt :exec
INSERT INTO webhook_attempts (delivery_id, attempt, at_ms, took_ms, status, response) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (delivery_id, attempt) DO NOTHING;

-- name: ListAttempts :many
SELECT * FROM webhook_attempts WHERE delivery_id = $1 ORDER BY attempt DESC LIMIT 100;

-- name: MakeDue :execrows
-- MakeDue makes some of the deliveries due that wait beyond a moment.
UPDATE webhook_deliveries SET next_at_ms = sqlc.arg(now_ms)
WHERE id IN (SELECT d.id FROM webhook_deliveries d WHERE d.next_at_ms > CAST(sqlc.arg(beyond_ms) AS BIGINT) LIMIT sqlc.arg(max_rows));

-- name: FailPending :execrows
-- FailPending gives up some of what a disabled webhook still waits for. Replays
-- bring it back.
UPDATE webhook_deliveries SET status = 'failed', next_at_ms = 0, done_ms = sqlc.arg(now_ms)
WHERE id IN (SELECT d.id FROM webhook_deliveries d WHERE d.webhook_id = sqlc.arg(webhook_id) AND d.next_at_ms > 0 LIMIT sqlc.arg(max_rows));

-- name: ListDisabledWaiting :many
-- ListDisabledWaiting is disabled webhooks for which something still waits.
SELECT w.id FROM webhooks w WHERE w.disabled_at > 0
  AND EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.next_at_ms > 0)
ORDER BY w.id LIMIT 100;
