-- name: InsertPass :exec
INSERT INTO passes (id, provider_id, kind, label, hash, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: GetPass :one
SELECT * FROM passes WHERE id = $1;

-- name: GetPassByHash :one
SELECT * FROM passes WHERE hash = $1;

-- name: ListPasses :many
SELECT * FROM passes WHERE provider_id = sqlc.arg(provider_id) AND id < sqlc.arg(before) ORDER BY id DESC LIMIT sqlc.arg(max_rows);

-- name: CountLivePasses :one
SELECT COUNT(*) FROM passes WHERE provider_id = sqlc.arg(provider_id) AND revoked_at = 0 AND expires_at > sqlc.arg(now);

-- name: UsePass :execrows
-- UsePass counts an entry, if the pass may be used. Entries and the revocation of one pass
-- wait for one another.
UPDATE passes SET entries = entries + 1, last_used_at = sqlc.arg(now)
WHERE id = sqlc.arg(id) AND revoked_at = 0 AND expires_at > sqlc.arg(now);

-- name: RevokePass :execrows
UPDATE passes SET revoked_at = sqlc.arg(now) WHERE id = sqlc.arg(id) AND revoked_at = 0;

-- name: ListLiveSessionsOfPass :many
SELECT s.id FROM sessions s WHERE s.pass_id = sqlc.arg(pass_id) AND s.pass_id <> '' AND s.due_at > 0 ORDER BY s.id LIMIT sqlc.arg(max_rows);

-- name: CountLiveSessionsOfPass :one
SELECT COUNT(*) FROM sessions s WHERE s.pass_id = $1 AND s.pass_id <> '' AND s.due_at > 0;

-- name: CountEntriesOfPass :one
-- CountEntriesOfPass counts the sessions that a pass has opened since a time, up to a maximum.
SELECT COUNT(*) FROM (
    SELECT 1 FROM sessions s WHERE s.pass_id = sqlc.arg(pass_id) AND s.pass_id <> '' AND s.created_at > sqlc.arg(since) LIMIT sqlc.arg(max_rows)
) x;

-- name: DeletePasses :execrows
-- DeletePasses removes some of the passes that expired or were revoked before a time.
DELETE FROM passes WHERE id IN (
    SELECT p.id FROM passes p WHERE p.expires_at < sqlc.arg(before) OR (p.revoked_at > 0 AND p.revoked_at < sqlc.arg(before)) LIMIT sqlc.arg(max_rows)
);
