-- name: ListSites :many
-- ListSites lists the site settings of the providers whose ids are the keys of a JSON
-- object.
SELECT id, site, site_version FROM providers WHERE id IN (SELECT key FROM json_each(sqlc.arg(ids)));

-- name: ListSiteChanges :many
-- ListSiteChanges lists the providers that changed their site settings between two times,
-- the earliest first, from after the one with this time and id.
SELECT id, site_version, site_at FROM providers
WHERE site_at > 0 AND site_at < sqlc.arg(before_at)
  AND (site_at > sqlc.arg(after_at) OR (site_at = sqlc.arg(after_at) AND id > sqlc.arg(after_id)))
ORDER BY site_at, id LIMIT sqlc.arg(max_rows);

-- name: ListSiteOptions :many
-- ListSiteOptions lists which site settings the configurations of edges set themselves, of
-- those that reported since a time.
SELECT sites FROM edges WHERE last_seen_at >= sqlc.arg(since) AND sites <> '[]' ORDER BY last_seen_at DESC LIMIT sqlc.arg(max_rows);
