-- name: InsertEvent :exec
INSERT INTO session_events (id, session_id, source, name, at_ms, props) VALUES ($1, $2, $3, $4, $5, $6);

-- name: ListEventsOfSource :many
SELECT * FROM session_events WHERE session_id = $1 AND source = $2 ORDER BY id DESC LIMIT $3;

-- name: CountEvents :one
SELECT COUNT(*) FROM session_events WHERE session_id = $1 AND source = $2;
