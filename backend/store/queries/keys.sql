-- name: InsertAPIKey :exec
INSERT INTO api_keys (id, hash, hint, role, provider_id, name, created_at, expires_at, kind, line_id, marketplace_id, test) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

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

-- name: ExpireAPIKey :execrows
UPDATE api_keys SET expires_at = sqlc.arg(expires_at)
WHERE id = sqlc.arg(id) AND revoked_at = 0 AND (expires_at = 0 OR expires_at > sqlc.arg(expires_at));

-- name: GetAPIKey :one
SELECT * FROM api_keys WHERE id = $1;

-- name: TouchAPIKey :exec
UPDATE api_keys SET last_used_at = sqlc.arg(at) WHERE id = sqlc.arg(id) AND last_used_at < sqlc.arg(at);

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
