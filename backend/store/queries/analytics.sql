-- name: GetRollup :one
SELECT at_ms FROM rollups WHERE name = $1;

-- name: PutRollup :exec
INSERT INTO rollups (name, at_ms) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET at_ms = excluded.at_ms;

-- name: SetRollup :exec
-- SetRollup advances a mark, or replaces one that lies beyond the limit: the clock
-- that set it was ahead.
INSERT INTO rollups (name, at_ms) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET at_ms = excluded.at_ms WHERE rollups.at_ms < excluded.at_ms OR rollups.at_ms > CAST(sqlc.arg(limit_ms) AS BIGINT);

-- name: TouchedDays :many
-- TouchedDays is the days that the events between two ids concern.
SELECT DISTINCT s.provider_id, s.mode, CAST(s.created_at / 86400 AS BIGINT) AS created_day, CAST(e.at_ms / 86400000 AS BIGINT) AS event_day
FROM session_events e JOIN sessions s ON s.id = e.session_id
WHERE e.id > sqlc.arg(after) AND e.id < sqlc.arg(before) AND e.source = 'session';

-- name: ListNewUsers :many
-- ListNewUsers is some of the users of a provider's day, in order, that are not
-- known to have come on that day or before.
SELECT DISTINCT s.user_id FROM sessions s
WHERE s.provider_id = sqlc.arg(provider_id) AND s.mode = 'live' AND s.created_at >= sqlc.arg(since) AND s.created_at < sqlc.arg(until) AND s.user_id > sqlc.arg(after)
  AND NOT EXISTS (SELECT 1 FROM provider_users u WHERE u.provider_id = s.provider_id AND u.user_id = s.user_id AND u.first_day <= CAST(sqlc.arg(day) AS BIGINT))
ORDER BY s.user_id LIMIT sqlc.arg(max_rows);

-- name: PutProviderUser :exec
INSERT INTO provider_users (provider_id, user_id, first_day) VALUES ($1, $2, $3)
ON CONFLICT (provider_id, user_id) DO UPDATE SET
    first_day = CASE WHEN excluded.first_day < provider_users.first_day THEN excluded.first_day ELSE provider_users.first_day END;

-- name: CountDay :one
-- CountDay counts the sessions of a mode, and the ledger entries of such sessions. The
-- tenant of test sessions ends in .test; sessions of passes have no entries.
SELECT s.sessions, s.entered, s.completed, s.expired, s.revoked, s.canceled, s.tokens AS tokens_allocated, s.paid AS paid_seconds, s.used AS used_seconds, s.users,
    (SELECT COUNT(*) FROM provider_users u WHERE u.provider_id = sqlc.arg(provider_id) AND u.first_day = CAST(sqlc.arg(day) AS BIGINT) AND CAST(sqlc.arg(mode) AS TEXT) = 'live') AS new_users,
    l.captures, l.captured, l.released, l.held,
    (SELECT COUNT(*) FROM session_extensions z JOIN sessions v ON v.id = z.session_id
        WHERE v.provider_id = sqlc.arg(provider_id) AND v.mode = sqlc.arg(mode) AND v.created_at >= CAST(sqlc.arg(day) AS BIGINT) * 86400 AND v.created_at < CAST(sqlc.arg(day) AS BIGINT) * 86400 + 86400) AS extensions
FROM (
    SELECT COUNT(*) AS sessions, COUNT(*) FILTER (WHERE x.redeemed_at > 0 OR x.entered_at > 0) AS entered,
        COUNT(*) FILTER (WHERE x.status = 'completed') AS completed, COUNT(*) FILTER (WHERE x.status = 'expired') AS expired,
        COUNT(*) FILTER (WHERE x.status = 'revoked') AS revoked, COUNT(*) FILTER (WHERE x.status = 'canceled') AS canceled,
        CAST(COALESCE(SUM(x.tokens), 0) AS BIGINT) AS tokens, CAST(COALESCE(SUM(x.duration_seconds), 0) AS BIGINT) AS paid,
        CAST(COALESCE(SUM(x.used_seconds), 0) AS BIGINT) AS used, COUNT(DISTINCT x.user_id) AS users
    FROM sessions x
    WHERE x.provider_id = sqlc.arg(provider_id) AND x.mode = sqlc.arg(mode) AND x.created_at >= CAST(sqlc.arg(day) AS BIGINT) * 86400 AND x.created_at < CAST(sqlc.arg(day) AS BIGINT) * 86400 + 86400
) s, (
    SELECT COUNT(*) FILTER (WHERE y.kind = 'capture') AS captures,
        CAST(COALESCE(SUM(y.amount) FILTER (WHERE y.kind = 'capture'), 0) AS BIGINT) AS captured,
        CAST(COALESCE(SUM(y.amount) FILTER (WHERE y.kind = 'release'), 0) AS BIGINT) AS released,
        CAST(COALESCE(SUM(y.amount) FILTER (WHERE y.kind = 'hold'), 0) AS BIGINT) AS held
    FROM ledger_entries y
    WHERE y.provider_id = sqlc.arg(provider_id) AND y.at_us >= CAST(sqlc.arg(day) AS BIGINT) * 86400000000 AND y.at_us < CAST(sqlc.arg(day) AS BIGINT) * 86400000000 + 86400000000
      AND CAST(sqlc.arg(mode) AS TEXT) = CASE WHEN y.marketplace_id LIKE '%.test' THEN 'test' ELSE 'live' END
) l;

-- name: PutDay :exec
INSERT INTO provider_analytics (provider_id, day, sessions, entered, completed, expired, revoked, canceled, tokens_allocated,
    paid_seconds, used_seconds, users, new_users, captures, captured, released, held, extensions)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT (provider_id, day) DO UPDATE SET sessions = excluded.sessions, entered = excluded.entered, completed = excluded.completed,
    expired = excluded.expired, revoked = excluded.revoked, canceled = excluded.canceled, tokens_allocated = excluded.tokens_allocated,
    paid_seconds = excluded.paid_seconds, used_seconds = excluded.used_seconds, users = excluded.users, new_users = excluded.new_users,
    captures = excluded.captures, captured = excluded.captured, released = excluded.released, held = excluded.held,
    extensions = excluded.extensions;

-- name: ListDays :many
SELECT * FROM provider_analytics WHERE provider_id = $1 AND day >= $2 AND day <= $3 ORDER BY day;

-- name: SumDays :one
SELECT CAST(COALESCE(SUM(sessions), 0) AS BIGINT) AS sessions, CAST(COALESCE(SUM(captured), 0) AS BIGINT) AS captured,
    CAST(COALESCE(SUM(released), 0) AS BIGINT) AS released, CAST(COALESCE(SUM(used_seconds), 0) AS BIGINT) AS used_seconds,
    CAST(COALESCE(SUM(new_users), 0) AS BIGINT) AS users
FROM provider_analytics WHERE provider_id = $1;

-- name: CountLive :many
SELECT status, COUNT(*) AS sessions FROM sessions WHERE provider_id = $1 AND mode = $2 AND due_at > 0 GROUP BY status;
