-- name: InsertSession :exec
INSERT INTO sessions (
    id, user_id, provider_id, status, version, clock, tokens, duration_seconds, return_url, consent_url, terms,
    offer_used, created_at, launch_by, started_at, expires_at, paused_at, paused_seconds, pause_count,
    redemption_id, redeemed_at, due_at, ended_at, end_reason, captured, released, used_seconds, warn_at, marketplace_id,
    purchases, started_us, paused_at_us, paused_us, entered_at, mode, pass_id
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
    $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36
);

-- name: UpdateSession :execrows
-- UpdateSession writes what may change, if nobody changed it since it was read.
UPDATE sessions SET
    status = sqlc.arg(status), version = sqlc.arg(version), tokens = sqlc.arg(tokens), duration_seconds = sqlc.arg(duration_seconds),
    offer_used = sqlc.arg(offer_used), started_at = sqlc.arg(started_at), expires_at = sqlc.arg(expires_at), paused_at = sqlc.arg(paused_at),
    paused_seconds = sqlc.arg(paused_seconds), pause_count = sqlc.arg(pause_count), redemption_id = sqlc.arg(redemption_id),
    redeemed_at = sqlc.arg(redeemed_at), due_at = sqlc.arg(due_at), ended_at = sqlc.arg(ended_at), end_reason = sqlc.arg(end_reason),
    captured = sqlc.arg(captured), released = sqlc.arg(released), used_seconds = sqlc.arg(used_seconds),
    warn_at = sqlc.arg(warn_at), purchases = sqlc.arg(purchases), started_us = sqlc.arg(started_us),
    paused_at_us = sqlc.arg(paused_at_us), paused_us = sqlc.arg(paused_us), entered_at = sqlc.arg(entered_at)
WHERE id = sqlc.arg(id) AND version = sqlc.arg(old_version);

-- name: GetSession :one
SELECT * FROM sessions WHERE id = $1;

-- name: NextDue :one
SELECT CAST(COALESCE(MIN(due_at), 0) AS BIGINT) FROM sessions WHERE due_at > 0;

-- name: DueSessions :many
SELECT id FROM sessions WHERE due_at > 0 AND due_at <= $1 ORDER BY due_at LIMIT $2;

-- name: UpsertBeat :exec
INSERT INTO session_beats (session_id, last_at, beats, active)
SELECT sessions.id, CAST(sqlc.arg(last_at) AS BIGINT), CAST(sqlc.arg(beats) AS BIGINT), CAST(sqlc.arg(active) AS BIGINT)
FROM sessions WHERE sessions.id = sqlc.arg(session_id)
ON CONFLICT (session_id) DO UPDATE SET
    last_at = CASE WHEN excluded.last_at > session_beats.last_at THEN excluded.last_at ELSE session_beats.last_at END,
    beats = session_beats.beats + excluded.beats,
    active = session_beats.active + excluded.active;

-- name: GetBeats :one
SELECT * FROM session_beats WHERE session_id = $1;

-- name: InsertExtension :exec
INSERT INTO session_extensions (session_id, version, actor, seconds, tokens, created_at)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: ListExtensions :many
SELECT * FROM session_extensions
WHERE session_id = sqlc.arg(session_id) AND version > sqlc.arg(after) ORDER BY version LIMIT sqlc.arg(max_rows);
