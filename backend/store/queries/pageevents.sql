-- name: GetSessionEventUse :one
SELECT * FROM session_event_use WHERE session_id = $1;

-- name: AddSessionEventUse :one
-- AddSessionEventUse counts events of a session's pages and returns the names that they
-- had before; no row: the session has no room for them.
INSERT INTO session_event_use (session_id, events, bytes, names, updated_at)
VALUES (sqlc.arg(session_id), sqlc.arg(events), sqlc.arg(bytes), '[]', sqlc.arg(updated_at))
ON CONFLICT (session_id) DO UPDATE SET
    events = session_event_use.events + excluded.events, bytes = session_event_use.bytes + excluded.bytes,
    updated_at = excluded.updated_at
WHERE session_event_use.events + excluded.events <= CAST(sqlc.arg(max_events) AS BIGINT)
  AND session_event_use.bytes + excluded.bytes <= CAST(sqlc.arg(max_bytes) AS BIGINT)
RETURNING names;

-- name: SetSessionEventNames :exec
UPDATE session_event_use SET names = $1 WHERE session_id = $2;

-- name: GetProviderEventDay :one
SELECT * FROM provider_event_days WHERE provider_id = $1 AND day = $2;

-- name: AddProviderEventDay :one
-- AddProviderEventDay counts events of a provider's day and returns how many names the
-- day has; no row: the day has no room for them.
INSERT INTO provider_event_days (provider_id, day, events, bytes, names)
VALUES (sqlc.arg(provider_id), sqlc.arg(day), sqlc.arg(events), sqlc.arg(bytes), 0)
ON CONFLICT (provider_id, day) DO UPDATE SET
    events = provider_event_days.events + excluded.events, bytes = provider_event_days.bytes + excluded.bytes
WHERE provider_event_days.events + excluded.events <= CAST(sqlc.arg(max_events) AS BIGINT)
  AND provider_event_days.bytes + excluded.bytes <= CAST(sqlc.arg(max_bytes) AS BIGINT)
RETURNING names;

-- name: AddProviderEventNames :exec
UPDATE provider_event_days SET names = names + CAST(sqlc.arg(names) AS BIGINT) WHERE provider_id = sqlc.arg(provider_id) AND day = sqlc.arg(day);

-- name: HasEventName :one
SELECT COUNT(*) FROM provider_events WHERE provider_id = $1 AND day = $2 AND name = $3;

-- name: AddProviderEvents :exec
INSERT INTO provider_events (provider_id, day, name, events, sessions) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (provider_id, day, name) DO UPDATE SET
    events = provider_events.events + excluded.events, sessions = provider_events.sessions + excluded.sessions;

-- name: ListProviderEvents :many
SELECT day, name, events, sessions FROM provider_events
WHERE provider_id = sqlc.arg(provider_id) AND day >= sqlc.arg(first) AND day <= sqlc.arg(last)
ORDER BY day, events DESC, name LIMIT 400000;
