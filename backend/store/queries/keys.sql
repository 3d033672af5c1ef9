-- name: InsertAPIKey :exec
INSERT INTO api_keys (id, hash, hint, role, provider_id, name, created_at, expires_at, kind, line_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: GetAPIKeyByHash :one
SELECT * FROM api_keys WHERE hash = $1;

-- name: ListAPIKeys :many
-- ListAPIKeys lists keys and links, newest first; with live_at, only those that
-- may be used at that moment.
SELECT * FROM api_keys
WHERE id < sqlc.arg(before) AND (CAST(sqlc.arg(kind) AS TEXT) = '' OR kind = sqlc.arg(kind))
  AND (CAST(sqlc.arg(live_at) AS BIGINT) = 0 OR (revoked_at = 0 AND (expires_at = 0 OR expires_at > CAST(sqlc.arg(live_at) AS BIGINT))))
ORDER BY id DESC LIMIT sqlc.arg(max_rows);

-- name: RevokeAPIKey :execrows
UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at = 0;

-- name: ClaimIdempotencyKey :execrows
-- ClaimIdempotencyKey takes a key that is free or has expired; no row: it is taken.
INSERT INTO idempotency_keys (scope, key, request_hash, response, created_at)
VALUES (sqlc.arg(scope), sqlc.arg(key), sqlc.arg(request_hash), '', sqlc.arg(created_at))
ON CONFLICT (scope, key) DO UPDATE SET
    request_hash = excluded.request_hash, response = excluded.response, created_at = excluded.created_at
WHERE idempotency_keys.created_at <= sqlc.arg(expired_before);

-- name: SaveIdempotentResponse :exec
UPDATE idempotency_keys SET response = sqlc.arg(response) WHERE scope = sqlc.arg(scope) AND key = sqlc.arg(key);

-- name: GetIdempotencyKey :one
SELECT * FROM idempotency_keys WHERE scope = $1 AND key = $2;

-- name: DeleteIdempotencyKeys :execrows
DELETE FROM idempotency_keys WHERE (scope, key) IN (
    SELECT k.scope, k.key FROM idempotency_keys k WHERE k.created_at <= sqlc.arg(before) LIMIT sqlc.arg(max_rows)
);

-- name: RenewIdempotencyKeys :execrows
-- RenewIdempotencyKeys has some of the keys of a range of time count from now.
UPDATE idempotency_keys SET created_at = sqlc.arg(now) WHERE (scope, key) IN (
    SELECT k.scope, k.key FROM idempotency_keys k WHERE k.created_at > sqlc.arg(after) AND k.created_at <= sqlc.arg(until) LIMIT sqlc.arg(max_rows)
);

-- name: ExpireAPIKey :execrows
UPDATE api_keys SET expires_at = sqlc.arg(expires_at)
WHERE id = sqlc.arg(id) AND revoked_at = 0 AND (expires_at = 0 OR expires_at > sqlc.arg(expires_at));

-- name: GetAPIKey :one
SELECT * FROM api_keys WHERE id = $1;

-- name: TouchAPIKey :exec
UPDATE api_keys SET last_used_at = sqlc.arg(at) WHERE id = sqlc.arg(id) AND last_used_at < sqlc.arg(at);

-- name: InsertAudit :exec
INSERT INTO audit_log (id, at, actor, action, target, request_id) VALUES ($1, $2, $3, $4, $5, $6);

-- name: ListAudit :many
SELECT * FROM audit_log WHERE id < sqlc.arg(before) ORDER BY id DESC LIMIT sqlc.arg(max_rows);

-- name: ListAPIKeysOfProvider :many
SELECT * FROM api_keys
WHERE provider_id = sqlc.arg(provider_id) AND id < sqlc.arg(before) AND (CAST(sqlc.arg(kind) AS TEXT) = '' OR kind = sqlc.arg(kind))
  AND (CAST(sqlc.arg(live_at) AS BIGINT) = 0 OR (revoked_at = 0 AND (expires_at = 0 OR expires_at > CAST(sqlc.arg(live_at) AS BIGINT))))
ORDER BY id DESC LIMIT sqlc.arg(max_rows);

-- name: CountLiveKeys :one
-- CountLiveKeys counts a provider's keys that may be used at a moment, without links.
SELECT COUNT(*) FROM api_keys
WHERE provider_id = sqlc.arg(provider_id) AND kind = 'key' AND revoked_at = 0 AND (expires_at = 0 OR expires_at > CAST(sqlc.arg(live_at) AS BIGINT));

-- name: DeleteOldLinks :execrows
-- DeleteOldLinks removes some of the portal links that ended before then.
DELETE FROM api_keys WHERE id IN (
    SELECT k.id FROM api_keys k
    WHERE k.kind = 'link' AND ((k.expires_at > 0 AND k.expires_at < sqlc.arg(before)) OR (k.revoked_at > 0 AND k.revoked_at < sqlc.arg(before)))
    LIMIT sqlc.arg(max_rows)
);
