-- name: InsertPerson :exec
INSERT INTO people (id, email, role, provider_id, created_at) VALUES ($1, $2, $3, $4, $5);

-- name: CountPerson :one
SELECT COUNT(*) FROM people WHERE email = $1 AND role = $2 AND provider_id = $3;

-- name: GetPerson :one
SELECT * FROM people WHERE id = $1;

-- name: ListPeople :many
SELECT * FROM people WHERE id > sqlc.arg(after) ORDER BY id LIMIT sqlc.arg(max_rows);

-- name: ListPeopleByEmail :many
SELECT * FROM people WHERE email = $1 ORDER BY id LIMIT 100;

-- name: BindPeople :exec
UPDATE people SET subject = CASE WHEN subject = '' THEN sqlc.arg(subject) ELSE subject END, last_seen_at = sqlc.arg(at)
WHERE email = sqlc.arg(email);

-- name: DeletePerson :execrows
DELETE FROM people WHERE id = $1;

-- name: InsertSignIn :exec
INSERT INTO sign_ins (hash, person_id, key_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5);

-- name: GetSignIn :one
SELECT * FROM sign_ins WHERE hash = $1;

-- name: DeleteSignIn :exec
DELETE FROM sign_ins WHERE hash = $1;

-- name: DeleteSignInsOfPerson :exec
DELETE FROM sign_ins WHERE person_id = $1;

-- name: DeleteOldSignIns :execrows
DELETE FROM sign_ins WHERE expires_at <= $1;
