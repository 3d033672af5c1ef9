-- name: InsertWebhook :exec
INSERT INTO webhooks (id, provider_id, url, events, description, secret, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7);

-- name: GetWebhook :one
SELECT * FROM webhooks WHERE id = $1;

-- name: ListWebhooks :many
SELECT * FROM webhooks
WHERE provider_id = sqlc.arg(provider_id)
  AND (created_at > sqlc.arg(after_at) OR (created_at = sqlc.arg(after_at) AND id > sqlc.arg(after_id)))
ORDER BY created_at, id LIMIT sqlc.arg(max_rows);

-- name: CountWebhooks :one
SELECT COUNT(*) FROM webhooks WHERE provider_id = $1;

-- name: ListSealedSecrets :many
-- ListSealedSecrets is some webhooks whose secrets are sealed.
SELECT id, secret FROM webhooks WHERE secret LIKE 'sealed:%' AND disabled_at = 0 ORDER BY id LIMIT $1;

-- name: UpdateWebhook :execrows
UPDATE webhooks SET url = sqlc.arg(url), events = sqlc.arg(events), description = sqlc.arg(description),
    secret = sqlc.arg(secret), old_secret = sqlc.arg(old_secret), old_secret_until = sqlc.arg(old_secret_until),
    disabled_at = sqlc.arg(disabled_at), disabled_reason = sqlc.arg(disabled_reason), failing_since = sqlc.arg(failing_since),
    failures = sqlc.arg(failures), last_failed_at = sqlc.arg(last_failed_at), retry_at_ms = sqlc.arg(retry_at_ms),
    updated_at = sqlc.arg(updated_at), version = version + 1
WHERE id = sqlc.arg(id) AND version = sqlc.arg(old_version);

-- name: DeleteWebhook :execrows
DELETE FROM webhooks WHERE id = $1;

-- name: Announce :execrows
-- Announce writes one delivery to each webhook of a provider that wants this
-- type. A disabled webhook's is kept for replay, and not attempted.
INSERT INTO webhook_deliveries (id, webhook_id, message_id, type, session_id, payload, status, tries, attempts, next_at_ms, created_ms, done_ms, last_status)
SELECT CAST(sqlc.arg(message_id) AS TEXT) || '.' || w.id, w.id, CAST(sqlc.arg(message_id) AS TEXT), CAST(sqlc.arg(type) AS TEXT), CAST(sqlc.arg(session_id) AS TEXT), CAST(sqlc.arg(payload) AS TEXT),
       CASE WHEN w.disabled_at = 0 THEN 'pending' ELSE 'failed' END, 0, 0,
       CASE WHEN w.disabled_at = 0 THEN CAST(sqlc.arg(now_ms) AS BIGINT) ELSE 0 END,
       CAST(sqlc.arg(now_ms) AS BIGINT),
       CASE WHEN w.disabled_at = 0 THEN 0 ELSE CAST(sqlc.arg(now_ms) AS BIGINT) END, 0
FROM webhooks w
WHERE w.provider_id = sqlc.arg(provider_id) AND (w.events = '' OR w.events LIKE CAST(sqlc.arg(pattern) AS TEXT));

-- name: InsertDelivery :exec
INSERT INTO webhook_deliveries (id, webhook_id, message_id, type, session_id, payload, status, tries, attempts, next_at_ms, created_ms, done_ms, last_status)
VALUES ($1, $2, $3, $4, '', $5, 'pending', 0, 0, $6, $7, 0, 0);

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

-- name: DeleteDeliveriesOfWebhook :execrows
DELETE FROM webhook_deliveries WHERE id IN (
    SELECT d.id FROM webhook_deliveries d WHERE d.webhook_id = sqlc.arg(webhook_id) LIMIT sqlc.arg(max_rows)
);

-- name: DeleteDeliveries :execrows
DELETE FROM webhook_deliveries WHERE id IN (
    SELECT d.id FROM webhook_deliveries d WHERE d.created_ms < sqlc.arg(before_ms) AND d.status <> 'pending' LIMIT sqlc.arg(max_rows)
);

-- name: MakeWebhooksCallable :execrows
-- MakeWebhooksCallable lets some of the webhooks be called that wait beyond a moment,
-- and takes failures of the future as failures of now.
UPDATE webhooks SET retry_at_ms = CAST(sqlc.arg(now_ms) AS BIGINT), version = version + 1,
    failing_since = CASE WHEN webhooks.failing_since > CAST(sqlc.arg(now) AS BIGINT) THEN CAST(sqlc.arg(now) AS BIGINT) ELSE webhooks.failing_since END,
    last_failed_at = CASE WHEN webhooks.last_failed_at > CAST(sqlc.arg(now) AS BIGINT) THEN CAST(sqlc.arg(now) AS BIGINT) ELSE webhooks.last_failed_at END
WHERE id IN (SELECT w.id FROM webhooks w WHERE w.retry_at_ms > CAST(sqlc.arg(beyond_ms) AS BIGINT) LIMIT sqlc.arg(max_rows));

-- name: MakeDue :execrows
-- MakeDue makes some of the deliveries due that wait beyond a moment.
UPDATE webhook_deliveries SET next_at_ms = sqlc.arg(now_ms)
WHERE id IN (SELECT d.id FROM webhook_deliveries d WHERE d.next_at_ms > CAST(sqlc.arg(beyond_ms) AS BIGINT) LIMIT sqlc.arg(max_rows));
