-- name: ListSessions :many
SELECT * FROM sessions WHERE id < sqlc.arg(before) ORDER BY id DESC LIMIT sqlc.arg(max_rows);

-- name: ListSessionsOfUser :many
SELECT * FROM sessions
WHERE user_id = sqlc.arg(user_id) AND id < sqlc.arg(before) AND (CAST(sqlc.arg(provider_id) AS TEXT) = '' OR provider_id = sqlc.arg(provider_id))
  AND (CAST(sqlc.arg(status) AS TEXT) = '' OR status = sqlc.arg(status)) AND created_at >= sqlc.arg(since) AND created_at < sqlc.arg(until)
ORDER BY id DESC LIMIT sqlc.arg(max_rows);

-- name: ListSessionsOfProvider :many
-- ListSessionsOfProvider lists sessions whose ids lie between two others; with
-- search, those of users whose ids begin with it.
SELECT * FROM sessions
WHERE provider_id = sqlc.arg(provider_id) AND mode = sqlc.arg(mode) AND id < sqlc.arg(before) AND id >= sqlc.arg(after)
  AND created_at >= sqlc.arg(since) AND created_at < sqlc.arg(until)
  AND (CAST(sqlc.arg(status) AS TEXT) = '' OR status = sqlc.arg(status))
  AND (CAST(sqlc.arg(search) AS TEXT) = '' OR substr(user_id, 1, length(CAST(sqlc.arg(search) AS TEXT))) = sqlc.arg(search))
ORDER BY id DESC LIMIT sqlc.arg(max_rows);

-- name: ListSessionsOfProviderInStatus :many
SELECT * FROM sessions
WHERE provider_id = sqlc.arg(provider_id) AND mode = sqlc.arg(mode) AND status = sqlc.arg(status) AND id < sqlc.arg(before)
  AND created_at >= sqlc.arg(since) AND created_at < sqlc.arg(until)
ORDER BY id DESC LIMIT sqlc.arg(max_rows);

-- name: ListSessionsOfUsers :many
-- ListSessionsOfUsers lists the sessions of users from first to before last, in the
-- database's order of texts. The expressions of id keep the planner from reading
-- every session of the provider in the order of ids.
SELECT * FROM sessions
WHERE provider_id = sqlc.arg(provider_id) AND mode = sqlc.arg(mode) AND user_id >= sqlc.arg(first) AND user_id < sqlc.arg(last)
  AND id || '' < CAST(sqlc.arg(before) AS TEXT) AND (CAST(sqlc.arg(status) AS TEXT) = '' OR status || '' = sqlc.arg(status))
  AND created_at >= sqlc.arg(since) AND created_at < sqlc.arg(until)
ORDER BY id || '' DESC LIMIT sqlc.arg(max_rows);

-- name: CountSessionsOfUsers :one
-- CountSessionsOfUsers counts the same sessions, up to a maximum.
SELECT COUNT(*) FROM (
    SELECT 1 FROM sessions s WHERE s.provider_id = sqlc.arg(provider_id) AND s.mode = sqlc.arg(mode) AND s.user_id >= sqlc.arg(first) AND s.user_id < sqlc.arg(last)
    LIMIT sqlc.arg(max_rows)
) x;
