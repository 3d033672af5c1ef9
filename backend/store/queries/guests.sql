-- name: PutGuestChange :exec
INSERT INTO guest_changes (provider_id, item, link_id, at) VALUES ($1, $2, $3, $4)
ON CONFLICT (provider_id, item) DO UPDATE SET link_id = excluded.link_id, at = excluded.at;

-- name: ListGuestChanges :many
SELECT * FROM guest_changes WHERE provider_id = $1 ORDER BY at, item LIMIT $2;

-- name: DeleteGuestChange :execrows
DELETE FROM guest_changes WHERE provider_id = $1 AND item = $2;

-- name: CountPeopleOfProvider :one
SELECT COUNT(*) FROM people WHERE role = 'provider' AND provider_id = $1;
