-- name: Announce :execrows
-- Announce writes one delivery to each webhook of a provider that wants this
-- type, and is for this mode; an empty mode is of both. A disabled webhook's is kept for replay, and not attempted.
INSERT INTO webhook_deliveries (id, webhook_id, message_id, type, session_id, payload, status, tries, attempts, next_at_ms, created_ms, done_ms, last_status)
SELECT CAST(sqlc.arg(message_id) AS TEXT) || '.' || w.id, w.id, CAST(sqlc.arg(message_id) AS TEXT), CAST(sqlc.arg(type) AS TEXT), CAST(sqlc.arg(session_id) AS TEXT), CAST(sqlc.arg(payload) AS TEXT),
       CASE WHEN w.disabled_at = 0 THEN 'pending' ELSE 'failed' END, 0, 0,
       CASE WHEN w.disabled_at = 0 THEN CAST(sqlc.arg(now_ms) AS BIGINT) ELSE 0 END,
       CAST(sqlc.arg(now_ms) AS BIGINT),
       CASE WHEN w.disabled_at = 0 THEN 0 ELSE CAST(sqlc.arg(now_ms) AS BIGINT) END, 0
FROM webhooks w
WHERE w.provider_id = sqlc.arg(provider_id) AND (w.events = '' OR w.events LIKE CAST(sqlc.arg(pattern) AS TEXT))
  AND (CAST(sqlc.arg(mode) AS TEXT) = '' OR w.mode = CAST(sqlc.arg(mode) AS TEXT));

-- name: InsertDelivery :exec
INSERT INTO webhook_deliveries (id, webhook_id, message_id, type, session_id, payload, status, tries, attempts, next_at_ms, created_ms, done_ms, last_status)
VALUES ($1, $2, $3, $4, '', $5, 'pending', 0, 0, $6, $7, 0, 0);

-- name: GetDelivery :one
SELECT * FROM webhook_deliveries WHERE id = $1;

-- name: ListDeliveries :many
SELECT * FROM webhook_deliveries
WHERE webhook_id = sqlc.arg(webhook_id) AND (created_ms, id) < (CAST(sqlc.arg(before_ms) AS BIGINT), CAST(sqlc.arg(before_id) AS TEXT))
ORDER BY created_ms DESC, id DESC LIMIT sqlc.arg(max_rows);

-- name: ListDeliveriesOfStatus :many
SELECT * FROM webhook_deliveries
WHERE webhook_id = sqlc.arg(webhook_id) AND status = sqlc.arg(status)
  AND (created_ms, id) < (CAST(sqlc.arg(before_ms) AS BIGINT), CAST(sqlc.arg(before_id) AS TEXT))
ORDER BY created_ms DESC, id DESC LIMIT sqlc.arg(max_rows);

-- name: ListDeliveriesOfSession :many
SELECT * FROM webhook_deliveries WHERE session_id = $1 ORDER BY created_ms DESC, id DESC LIMIT $2;

-- name: ReplayDelivery :execrows
UPDATE webhook_deliveries SET status = 'pending', tries = 0, next_at_ms = sqlc.arg(now_ms), done_ms = 0
WHERE id = sqlc.arg(id) AND webhook_id = sqlc.arg(webhook_id);

-- name: BatchOfDeliveries :one
-- BatchOfDeliveries is the last delivery of the batch of this size that begins
-- after another delivery, if the batch is full.
SELECT created_ms, id FROM webhook_deliveries
WHERE webhook_id = sqlc.arg(webhook_id) AND (created_ms, id) > (CAST(sqlc.arg(after_ms) AS BIGINT), CAST(sqlc.arg(after_id) AS TEXT))
  AND created_ms < sqlc.arg(until_ms)
ORDER BY created_ms, id LIMIT 1 OFFSET sqlc.arg(skipped);

-- name: ReplayDeliveries :execrows
-- ReplayDeliveries makes due again what is done of one batch.
UPDATE webhook_deliveries SET status = 'pending', tries = 0, next_at_ms = sqlc.arg(now_ms), done_ms = 0
WHERE webhook_id = sqlc.arg(webhook_id)
  AND (created_ms, id) > (CAST(sqlc.arg(after_ms) AS BIGINT), CAST(sqlc.arg(after_id) AS TEXT))
  AND (created_ms, id) <= (CAST(sqlc.arg(last_ms) AS BIGINT), CAST(sqlc.arg(last_id) AS TEXT))
  AND created_ms < sqlc.arg(until_ms)
  AND status <> 'pending' AND (CAST(sqlc.arg(only_failed) AS BIGINT) = 0 OR status = 'failed');

-- name: DeleteDeliveriesOfWebhook :execrows
DELETE FROM webhook_deliveries WHERE id IN (
    SELECT d.id FROM webhook_deliveries d WHERE d.webhook_id = sqlc.arg(webhook_id) LIMIT sqlc.arg(max_rows)
);

-- name: DeleteDeliveries :execrows
DELETE FROM webhook_deliveries WHERE id IN (
    SELECT d.id FROM webhook_deliveries d WHERE d.created_ms < sqlc.arg(before_ms) AND d.status <> 'pending' LIMIT sqlc.arg(max_rows)
);
