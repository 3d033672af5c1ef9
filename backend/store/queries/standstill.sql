-- name: UpdateStandstill :exec
-- UpdateStandstill writes how a session's clock stands still. The transaction has changed
-- the session's version before.
UPDATE sessions SET standstill = sqlc.arg(standstill), standstill_since_us = sqlc.arg(standstill_since_us),
    standstill_until_us = sqlc.arg(standstill_until_us), stood_us = sqlc.arg(stood_us), standstill_paused = sqlc.arg(standstill_paused)
WHERE id = sqlc.arg(id);

-- name: InsertStandstill :exec
INSERT INTO standstills (provider_id, since_us, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: EndStandstill :execrows
UPDATE standstills SET until_us = sqlc.arg(until_us), pending = 1, last_id = ''
WHERE provider_id = sqlc.arg(provider_id) AND until_us = 0;

-- name: Standstills :many
SELECT * FROM standstills WHERE provider_id = $1 ORDER BY since_us LIMIT $2;

-- name: PendingStandstill :many
-- PendingStandstill finds the first one of the next provider, of those that have begun.
SELECT * FROM standstills
WHERE pending = 1 AND provider_id > sqlc.arg(after) AND since_us <= sqlc.arg(now_us) AND until_us <= sqlc.arg(now_us)
ORDER BY provider_id, since_us LIMIT 1;

-- name: LiveSessionsOf :many
SELECT id FROM sessions WHERE provider_id = sqlc.arg(provider_id) AND due_at > 0 AND id > sqlc.arg(after) ORDER BY id LIMIT sqlc.arg(max_rows);

-- name: AdvanceStandstill :execrows
-- AdvanceStandstill records how far a standstill has been applied, unless another process
-- has done so or the standstill has ended. It locks the row until the transaction ends.
UPDATE standstills SET last_id = sqlc.arg(last_id), pending = sqlc.arg(pending)
WHERE provider_id = sqlc.arg(provider_id) AND since_us = sqlc.arg(since_us) AND until_us = sqlc.arg(until_us)
    AND pending = 1 AND last_id = sqlc.arg(was_last_id);

-- name: DeleteStandstill :exec
DELETE FROM standstills WHERE provider_id = $1 AND since_us = $2;
