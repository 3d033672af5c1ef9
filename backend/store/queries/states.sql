-- name: ListSessionsOfIDs :many
-- ListSessionsOfIDs lists the sessions whose ids are the keys of a JSON object. The
-- function json_each is what both databases have for a list of any length.
SELECT * FROM sessions WHERE id IN (SELECT key FROM json_each(sqlc.arg(ids)));

-- name: ListChanges :many
-- ListChanges lists the changes of sessions whose ids lie between two others, in order.
-- Ids begin with the time.
SELECT id, session_id, props FROM session_events
WHERE id > sqlc.arg(after) AND id < sqlc.arg(before) AND source = 'session'
ORDER BY id LIMIT sqlc.arg(max_rows);
