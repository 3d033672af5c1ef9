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
