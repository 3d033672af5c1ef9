-- name: InsertMarketplace :execrows
INSERT INTO marketplaces (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING;

-- name: GetMarketplace :one
SELECT * FROM marketplaces WHERE id = $1;

-- name: ListMarketplaces :many
SELECT * FROM marketplaces WHERE id > sqlc.arg(after) ORDER BY id LIMIT sqlc.arg(max_rows);

-- name: ListSessionsOfMarketplace :many
SELECT * FROM sessions WHERE marketplace_id = sqlc.arg(marketplace_id) AND id < sqlc.arg(before) ORDER BY id DESC LIMIT sqlc.arg(max_rows);

-- name: ListLiveSessionsOfMarketplace :many
SELECT * FROM sessions
WHERE marketplace_id = sqlc.arg(marketplace_id) AND status = sqlc.arg(status) AND due_at > 0 AND id < sqlc.arg(before)
ORDER BY id DESC LIMIT sqlc.arg(max_rows);

-- name: ListEndedSessionsOfMarketplace :many
SELECT * FROM sessions
WHERE marketplace_id = sqlc.arg(marketplace_id) AND status = sqlc.arg(status) AND due_at = 0 AND id < sqlc.arg(before)
ORDER BY id DESC LIMIT sqlc.arg(max_rows);

-- name: ListSessionsOfMarketplaceAtProvider :many
SELECT * FROM sessions
WHERE marketplace_id = sqlc.arg(marketplace_id) AND provider_id = sqlc.arg(provider_id) AND id < sqlc.arg(before)
ORDER BY id DESC LIMIT sqlc.arg(max_rows);

-- name: ListSessionsOfMarketplaceAtProviderInStatus :many
SELECT * FROM sessions
WHERE marketplace_id = sqlc.arg(marketplace_id) AND provider_id = sqlc.arg(provider_id) AND status = sqlc.arg(status) AND id < sqlc.arg(before)
ORDER BY id DESC LIMIT sqlc.arg(max_rows);
