-- name: PutModeDay :exec
INSERT INTO provider_mode_days (provider_id, mode, day, sessions, entered, completed, expired, revoked, canceled, tokens_allocated,
    paid_seconds, used_seconds, users, captures, captured, released, held, extensions)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT (provider_id, mode, day) DO UPDATE SET sessions = excluded.sessions, entered = excluded.entered, completed = excluded.completed,
    expired = excluded.expired, revoked = excluded.revoked, canceled = excluded.canceled, tokens_allocated = excluded.tokens_allocated,
    paid_seconds = excluded.paid_seconds, used_seconds = excluded.used_seconds, users = excluded.users,
    captures = excluded.captures, captured = excluded.captured, released = excluded.released, held = excluded.held,
    extensions = excluded.extensions;

-- name: ListModeDays :many
SELECT * FROM provider_mode_days WHERE provider_id = sqlc.arg(provider_id) AND mode = sqlc.arg(mode) AND day >= sqlc.arg(first_day) AND day <= sqlc.arg(last_day) ORDER BY day;

-- name: SumModeDays :one
SELECT CAST(COALESCE(SUM(sessions), 0) AS BIGINT) AS sessions, CAST(COALESCE(SUM(captured), 0) AS BIGINT) AS captured,
    CAST(COALESCE(SUM(released), 0) AS BIGINT) AS released, CAST(COALESCE(SUM(used_seconds), 0) AS BIGINT) AS used_seconds
FROM provider_mode_days WHERE provider_id = $1 AND mode = $2;

-- name: MoveSession :exec
-- MoveSession writes the time of a test session whose clock was moved that UpdateSession
-- does not write. The transaction has changed the session's version before.
UPDATE sessions SET launch_by = sqlc.arg(launch_by) WHERE id = sqlc.arg(id);
