-- name: InsertWebhook :exec
INSERT INTO webhooks (id, provider_id, url, events, description, secret, created_at, updated_at, mode)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8);

-- name: GetWebhook :one
SELECT * FROM webhooks WHERE id = $1;

-- name: ListWebhooks :many
SELECT * FROM webhooks
WHERE provider_id = sqlc.arg(provider_id) AND (CAST(sqlc.arg(mode) AS TEXT) = '' OR mode = sqlc.arg(mode))
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

-- name: MakeWebhooksCallable :execrows
-- MakeWebhooksCallable lets some of the webhooks be called that wait beyond a moment,
-- and takes failures of the future as failures of now.
UPDATE webhooks SET retry_at_ms = CAST(sqlc.arg(now_ms) AS BIGINT), version = version + 1,
    failing_since = CASE WHEN webhooks.failing_since > CAST(sqlc.arg(now) AS BIGINT) THEN CAST(sqlc.arg(now) AS BIGINT) ELSE webhooks.failing_since END,
    last_failed_at = CASE WHEN webhooks.last_failed_at > CAST(sqlc.arg(now) AS BIGINT) THEN CAST(sqlc.arg(now) AS BIGINT) ELSE webhooks.last_failed_at END
WHERE id IN (SELECT w.id FROM webhooks w WHERE w.retry_at_ms > CAST(sqlc.arg(beyond_ms) AS BIGINT) LIMIT sqlc.arg(max_rows));
