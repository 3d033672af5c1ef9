-- name: InsertProvider :execrows
INSERT INTO providers (id, name, origin_url, app_url, policies, version, created_at, updated_at, site, site_version, site_at)
VALUES ($1, $2, $3, $4, $5, 1, $6, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING;

-- name: UpdateProvider :execrows
UPDATE providers SET name = sqlc.arg(name), origin_url = sqlc.arg(origin_url), app_url = sqlc.arg(app_url), policies = sqlc.arg(policies),
    site = sqlc.arg(site), site_version = sqlc.arg(site_version), site_at = sqlc.arg(site_at), version = version + 1, updated_at = sqlc.arg(updated_at)
WHERE id = sqlc.arg(id) AND version = sqlc.arg(old_version);

-- name: GetProvider :one
SELECT * FROM providers WHERE id = $1;

-- name: ListProviders :many
SELECT * FROM providers WHERE id > sqlc.arg(after) ORDER BY id LIMIT sqlc.arg(max_rows);
