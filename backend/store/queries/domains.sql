-- name: InsertClaim :execrows
INSERT INTO domain_claims (domain, provider_id, position, state, claimed_at, due_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING;

-- name: MoveClaim :exec
UPDATE domain_claims SET position = sqlc.arg(position) WHERE domain = sqlc.arg(domain) AND provider_id = sqlc.arg(provider_id);

-- name: DeleteClaim :exec
DELETE FROM domain_claims WHERE domain = $1 AND provider_id = $2;

-- name: UpdateClaim :execrows
-- UpdateClaim writes what a check found, unless another check wrote meanwhile.
UPDATE domain_claims SET state = sqlc.arg(state), proven_at = sqlc.arg(proven_at), checked_at = sqlc.arg(checked_at), found = sqlc.arg(found),
    misses = sqlc.arg(misses), missing_since = sqlc.arg(missing_since), due_at = sqlc.arg(due_at)
WHERE domain = sqlc.arg(domain) AND provider_id = sqlc.arg(provider_id) AND state = sqlc.arg(old_state) AND checked_at = sqlc.arg(old_checked_at);

-- name: ListClaims :many
SELECT * FROM domain_claims WHERE provider_id = $1 ORDER BY position;

-- name: ListClaimsOfDomain :many
SELECT * FROM domain_claims WHERE domain = $1 ORDER BY claimed_at, provider_id LIMIT 1000;

-- name: ListDueDomains :many
-- ListDueDomains lists the domains of which DNS is to be asked, the longest due first.
SELECT domain FROM domain_claims WHERE due_at > 0 AND due_at <= sqlc.arg(now) ORDER BY due_at LIMIT sqlc.arg(max_rows);

-- name: GetProviderByDomain :one
SELECT p.* FROM providers p JOIN domain_claims d ON d.provider_id = p.id
WHERE d.domain = $1 AND d.state IN ('proven', 'vouched', 'local');

-- name: InsertDomainSecret :exec
INSERT INTO domain_secret (id, value) VALUES (1, $1) ON CONFLICT (id) DO NOTHING;

-- name: GetDomainSecret :one
SELECT value FROM domain_secret WHERE id = 1;
