-- name: UpsertEdge :exec
INSERT INTO edges (id, version, address, started_at, last_seen_at, live_sessions, stream_lag_ms, sites)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO UPDATE SET
    version = excluded.version, address = excluded.address, started_at = excluded.started_at,
    last_seen_at = excluded.last_seen_at, live_sessions = excluded.live_sessions, stream_lag_ms = excluded.stream_lag_ms, sites = excluded.sites
WHERE edges.last_seen_at <= excluded.last_seen_at OR edges.last_seen_at > excluded.last_seen_at + 60;

-- name: ListEdges :many
SELECT * FROM edges
WHERE last_seen_at >= sqlc.arg(since)
  AND (started_at < sqlc.arg(before_at) OR (started_at = sqlc.arg(before_at) AND id < sqlc.arg(before_id)))
ORDER BY started_at DESC, id DESC LIMIT sqlc.arg(max_rows);

-- name: DeleteOldEdges :execrows
DELETE FROM edges WHERE last_seen_at < $1;

-- name: AddPageReport :exec
-- AddPageReport adds to what is known of a page; of a provider that does not
-- exist, nothing is.
INSERT INTO page_reports (provider_id, host, path, outcome, pages, last_at)
SELECT p.id, CAST(sqlc.arg(host) AS TEXT), CAST(sqlc.arg(path) AS TEXT), CAST(sqlc.arg(outcome) AS TEXT), CAST(sqlc.arg(pages) AS BIGINT), CAST(sqlc.arg(last_at) AS BIGINT)
FROM providers p WHERE p.id = sqlc.arg(provider_id)
ON CONFLICT (provider_id, host, path, outcome) DO UPDATE SET
    pages = page_reports.pages + excluded.pages,
    last_at = CASE WHEN excluded.last_at > page_reports.last_at THEN excluded.last_at ELSE page_reports.last_at END;

-- name: ListPageReports :many
SELECT * FROM page_reports WHERE provider_id = $1 ORDER BY last_at DESC, host, path, outcome LIMIT 200;

-- name: TrimPageReports :execrows
-- TrimPageReports leaves a provider the newest.
DELETE FROM page_reports WHERE page_reports.provider_id = sqlc.arg(provider_id) AND page_reports.last_at < (
    SELECT CAST(COALESCE(MIN(newest.last_at), 0) AS BIGINT) FROM (
        SELECT r.last_at FROM page_reports r WHERE r.provider_id = sqlc.arg(provider_id) ORDER BY r.last_at DESC LIMIT sqlc.arg(kept)
    ) newest
);

-- name: DeleteOldPageReports :execrows
DELETE FROM page_reports WHERE last_at < $1;

-- name: ErasePageReports :exec
-- ErasePageReports removes the pages that have a user's id for a part of their path, at
-- the providers where the user had a session: elsewhere the word is no user's.
DELETE FROM page_reports WHERE path || '/' LIKE CAST(sqlc.arg(pattern) AS TEXT) ESCAPE '!'
  AND provider_id IN (SELECT s.provider_id FROM sessions s WHERE s.user_id = sqlc.arg(user_id));
