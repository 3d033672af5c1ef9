-- name: UpdateLinks :exec
-- UpdateLinks writes which links a session was given, and which of them was redeemed. The
-- transaction has changed the session's version before.
UPDATE sessions SET relaunches = sqlc.arg(relaunches), redeemed_link = sqlc.arg(redeemed_link), relaunched_at = sqlc.arg(relaunched_at)
WHERE id = sqlc.arg(id);
