-- name: CountLiveSessionsOfUser :one
SELECT COUNT(*) FROM sessions WHERE user_id = $1 AND due_at > 0;

-- name: CopyAccount :execrows
INSERT INTO accounts (user_id, posted, held, marketplace_id)
SELECT CAST(sqlc.arg(pseudonym) AS TEXT), a.posted, a.held, a.marketplace_id FROM accounts a WHERE a.user_id = sqlc.arg(user_id);

-- name: EraseHolds :exec
UPDATE holds SET user_id = sqlc.arg(pseudonym) WHERE user_id = sqlc.arg(user_id);

-- name: ListMessagesOfUser :many
-- ListMessagesOfUser is the messages about a user's sessions, by their ids.
SELECT d.id, d.payload FROM webhook_deliveries d
WHERE d.id > sqlc.arg(after) AND d.session_id IN (SELECT s.id FROM sessions s WHERE s.user_id = sqlc.arg(user_id))
ORDER BY d.id LIMIT sqlc.arg(max_rows);

-- name: SetMessage :exec
UPDATE webhook_deliveries SET payload = sqlc.arg(payload) WHERE id = sqlc.arg(id);

-- name: EraseResponses :exec
-- EraseResponses empties what receivers answered, which may name the user.
UPDATE webhook_attempts SET response = '' WHERE delivery_id IN (
    SELECT d.id FROM webhook_deliveries d JOIN sessions s ON s.id = d.session_id WHERE s.user_id = sqlc.arg(user_id)
);

-- name: EraseSessions :execrows
UPDATE sessions SET user_id = sqlc.arg(pseudonym), return_url = '', consent_url = '' WHERE user_id = sqlc.arg(user_id);

-- name: EraseEntries :execrows
-- EraseEntries is the one change that ledger entries ever see: another name for
-- the same accounts.
UPDATE ledger_entries SET user_id = sqlc.arg(pseudonym),
    debit = CASE debit WHEN CAST(sqlc.arg(available) AS TEXT) THEN CAST(sqlc.arg(new_available) AS TEXT) WHEN CAST(sqlc.arg(held) AS TEXT) THEN CAST(sqlc.arg(new_held) AS TEXT) ELSE debit END,
    credit = CASE credit WHEN CAST(sqlc.arg(available) AS TEXT) THEN CAST(sqlc.arg(new_available) AS TEXT) WHEN CAST(sqlc.arg(held) AS TEXT) THEN CAST(sqlc.arg(new_held) AS TEXT) ELSE credit END
WHERE user_id = sqlc.arg(user_id);

-- name: EraseProviderUsers :exec
UPDATE provider_users SET user_id = sqlc.arg(pseudonym) WHERE user_id = sqlc.arg(user_id);

-- name: DeleteAccount :exec
DELETE FROM accounts WHERE user_id = $1;

-- name: ListEventsOfUser :many
SELECT e.* FROM session_events e JOIN sessions s ON s.id = e.session_id
WHERE s.user_id = sqlc.arg(user_id) AND e.id > sqlc.arg(after) ORDER BY e.id LIMIT sqlc.arg(max_rows);
