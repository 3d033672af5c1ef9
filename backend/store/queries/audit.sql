-- name: InsertAudit :exec
INSERT INTO audit_log (id, at, actor, action, target, request_id, changes) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: ListAudit :many
SELECT * FROM audit_log WHERE id < sqlc.arg(before) ORDER BY id DESC LIMIT sqlc.arg(max_rows);
