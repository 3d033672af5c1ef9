-- name: CountEventNames :one
SELECT COUNT(*) FROM provider_events WHERE provider_id = $1 AND day = $2;

-- name: HasEventName :one
SELECT COUNT(*) FROM provider_events WHERE provider_id = $1 AND day = $2 AND name = $3;

-- name: ListPageEventNames :many
-- ListPageEventNames is the names of what a session's pages noticed.
SELECT DISTINCT name FROM session_events WHERE session_id = $1 AND source = 'page';

-- name: AddProviderEvents :exec
INSERT INTO provider_events (provider_id, day, name, events, sessions) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (provider_id, day, name) DO UPDATE SET
    events = provider_events.events + excluded.events, sessions = provider_events.sessions + excluded.sessions;

-- name: ListProviderEvents :many
SELECT day, name, events, sessions FROM provider_events
WHERE provider_id = sqlc.arg(provider_id) AND day >= sqlc.arg(first) AND day <= sqlc.arg(last)
ORDER BY day, events DESC, name LIMIT 400000;
