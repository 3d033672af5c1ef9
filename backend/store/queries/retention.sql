-- name: DeletePageEvents :execrows
-- DeletePageEvents removes some of the page events whose id is less than another.
DELETE FROM session_events WHERE id IN (
    SELECT e.id FROM session_events e WHERE e.source = 'page' AND e.id < sqlc.arg(before) ORDER BY e.id LIMIT sqlc.arg(max_rows)
);

-- name: DeleteSessionEventUse :execrows
DELETE FROM session_event_use WHERE session_id IN (
    SELECT u.session_id FROM session_event_use u WHERE u.updated_at < sqlc.arg(before) LIMIT sqlc.arg(max_rows)
);

-- name: DeleteProviderEvents :execrows
DELETE FROM provider_events WHERE (provider_id, day, name) IN (
    SELECT p.provider_id, p.day, p.name FROM provider_events p WHERE p.day < sqlc.arg(before) LIMIT sqlc.arg(max_rows)
);

-- name: DeleteProviderEventDays :execrows
DELETE FROM provider_event_days WHERE (provider_id, day) IN (
    SELECT d.provider_id, d.day FROM provider_event_days d WHERE d.day < sqlc.arg(before) LIMIT sqlc.arg(max_rows)
);

-- name: DeleteAttempts :exec
-- DeleteAttempts removes the attempts of a delivery up to one of them.
DELETE FROM webhook_attempts WHERE delivery_id = $1 AND attempt <= $2;
