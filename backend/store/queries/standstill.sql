-- name: UpdateStandstill :exec
-- UpdateStandstill writes how a session's clock stands still. The transaction has changed
-- the session's version before.
UPDATE sessions SET standstill = sqlc.arg(standstill), standstill_since_us = sqlc.arg(standstill_since_us),
    standstill_until_us = sqlc.arg(standstill_until_us), stood_us = sqlc.arg(stood_us), standstill_paused = sqlc.arg(standstill_paused)
WHERE id = sqlc.arg(id);

-- name: InsertStandstill :exec
INSERT INTO standstills (provider_id, since_us, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: EndStandstill :execrows
UPDATE standstills SET until_us = sqlc.arg(until_us), telling = 1, told_id = ''
WHERE provider_id = sqlc.arg(provider_id) AND until_us = 0;

-- name: Standstills :many
SELECT * FROM standstills WHERE provider_id = $1 ORDER BY since_us LIMIT $2;

-- name: StandstillToTell :many
-- StandstillToTell finds the next one after a provider, of those that have begun.
SELECT * FROM standstills
WHERE telling = 1 AND provider_id > sqlc.arg(after) AND since_us <= sqlc.arg(now_us) AND until_us <= sqlc.arg(now_us)
ORDER BY provider_id, since_us LIMIT 1;

-- name: LiveSessionsOf :many
SELECT id FROM sessions WHERE provider_id = sqlc.arg(provider_id) AND due_at > 0 AND id > sqlc.arg(after) ORDER BY id LIMIT sqlc.arg(max_rows);

-- name: ClaimStandstill :execrows
-- ClaimStandstill moves on in telling, unless another process has or the standstill has
-- changed. It locks the row until the transaction ends.
UPDATE standstills SET told_id = sqlc.arg(told_id), telling = sqlc.arg(telling)
WHERE provider_id = sqlc.arg(provider_id) AND since_us = sqlc.arg(since_us) AND until_us = sqlc.arg(until_us)
    AND telling = 1 AND told_id = sqlc.arg(was_told);

-- name: DeleteStandstill :exec
DELETE FROM standstills WHERE provider_id = $1 AND since_us = $2;
