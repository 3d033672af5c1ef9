-- name: InsertEvent :exec
INSERT INTO session_events (id, session_id, source, name, at_ms, props) VALUES ($1, $2, $3, $4, $5, $6);

-- name: ListEventsOfSource :many
SELECT * FROM session_events WHERE session_id = $1 AND source = $2 ORDER BY id DESC LIMIT $3;

-- name: CountEvents :one
SELECT COUNT(*) FROM session_events WHERE session_id = $1 AND source = $2;

-- name: ListChangedSessions :many
-- ListChangedSessions lists the sessions with a change whose id lies between two
-- others. Ids begin with the time.
SELECT s.* FROM sessions s
WHERE s.id IN (SELECT e.session_id FROM session_events e WHERE e.id > sqlc.arg(after) AND e.id < sqlc.arg(before) AND e.source = 'session')
LIMIT sqlc.arg(max_rows);
