-- name: GetRingVersion :one
SELECT version FROM signing_ring WHERE id = 1;

-- name: AdvanceRing :execrows
UPDATE signing_ring SET version = version + 1 WHERE id = 1 AND version = $1;

-- name: ListSigningKeys :many
SELECT * FROM signing_keys ORDER BY created_at, kid;

-- name: DeleteSigningKeys :exec
DELETE FROM signing_keys;

-- name: InsertSigningKey :exec
INSERT INTO signing_keys (kid, state, created_at, retired_at, private_key) VALUES ($1, $2, $3, $4, $5);
