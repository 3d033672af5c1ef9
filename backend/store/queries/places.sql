-- name: LockProvider :exec
-- LockProvider has other transactions that lock the provider wait until this one ends.
UPDATE providers SET version = version WHERE id = $1;

-- name: PlacesTaken :one
-- PlacesTaken counts the live sessions of a provider that are not over, up to max_rows.
SELECT COUNT(*) FROM (
    SELECT 1 AS place FROM sessions s WHERE s.provider_id = sqlc.arg(provider_id) AND s.mode = 'live' AND s.due_at > 0 LIMIT sqlc.arg(max_rows)
) places;

-- name: NextEnd :one
-- NextEnd returns when the first active live session of a provider ends by itself; 0 if
-- none is active.
SELECT CAST(COALESCE(MIN(expires_at), 0) AS BIGINT) FROM sessions WHERE provider_id = $1 AND mode = 'live' AND status = 'active' AND due_at > 0;
