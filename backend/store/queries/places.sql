-- name: LockProvider :exec
-- LockProvider has other transactions that lock the provider wait until this one ends.
UPDATE providers SET version = version WHERE id = $1;

-- name: PlacesTaken :one
-- PlacesTaken counts the live sessions of a provider that are not over, and says when the
-- first of them ends by itself; 0 if none does.
SELECT COUNT(*) AS taken, CAST(COALESCE(MIN(CASE WHEN status = 'active' THEN expires_at END), 0) AS BIGINT) AS next_end
FROM sessions WHERE provider_id = $1 AND mode = 'live' AND due_at > 0;
