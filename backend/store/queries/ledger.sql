-- name: EnsureAccount :exec
INSERT INTO accounts (user_id, posted, held, marketplace_id) VALUES ($1, 0, 0, $2) ON CONFLICT (user_id) DO NOTHING;

-- name: MoveBalance :execrows
-- MoveBalance changes a balance, if what is left available is not below zero.
UPDATE accounts SET posted = posted + sqlc.arg(posted_delta), held = held + sqlc.arg(held_delta)
WHERE user_id = sqlc.arg(user_id)
  AND posted + sqlc.arg(posted_delta) >= 0 AND held + sqlc.arg(held_delta) >= 0
  AND posted + sqlc.arg(posted_delta) - held - sqlc.arg(held_delta) >= 0;

-- name: GetAccount :one
SELECT * FROM accounts WHERE user_id = $1;

-- name: InsertHold :exec
INSERT INTO holds (session_id, user_id, provider_id, amount) VALUES ($1, $2, $3, $4);

-- name: GetHold :one
SELECT * FROM holds WHERE session_id = $1;

-- name: GrowHold :execrows
UPDATE holds SET amount = sqlc.arg(amount), grown = sqlc.arg(grown)
WHERE session_id = sqlc.arg(session_id) AND settled = 0 AND grown = sqlc.arg(old_grown);

-- name: SettleHold :execrows
UPDATE holds SET settled = 1, captured = sqlc.arg(captured), released = sqlc.arg(released)
WHERE session_id = sqlc.arg(session_id) AND settled = 0 AND amount = sqlc.arg(amount);

-- name: InsertEntry :exec
INSERT INTO ledger_entries (id, kind, debit, credit, amount, user_id, provider_id, session_id, at_us, marketplace_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: ListEntriesOfUser :many
SELECT * FROM ledger_entries
WHERE user_id = sqlc.arg(user_id) AND (CAST(sqlc.arg(session_id) AS TEXT) = '' OR session_id = sqlc.arg(session_id))
  AND (at_us < sqlc.arg(before_us) OR (at_us = sqlc.arg(before_us) AND id < sqlc.arg(before_id)))
ORDER BY at_us DESC, id DESC LIMIT sqlc.arg(max_rows);

-- name: ListEntriesOfSession :many
SELECT * FROM ledger_entries WHERE session_id = $1 ORDER BY at_us DESC, id DESC LIMIT $2;

-- name: AuditEntries :many
-- AuditEntries is what each account comes to, counted from the entries.
SELECT account, CAST(SUM(amount) AS BIGINT) AS balance FROM (
    SELECT l.credit AS account, l.amount AS amount FROM ledger_entries l
    UNION ALL
    SELECT m.debit AS account, -m.amount AS amount FROM ledger_entries m
) sides GROUP BY account ORDER BY account;

-- name: AuditAccounts :many
SELECT a.user_id, a.posted, a.held,
       CAST(COALESCE((SELECT SUM(h.amount) FROM holds h WHERE h.user_id = a.user_id AND h.settled = 0), 0) AS BIGINT) AS open_holds
FROM accounts a ORDER BY a.user_id;

-- name: AuditCaptures :one
-- AuditCaptures counts the holds that were captured other than they say.
SELECT COUNT(*) FROM holds h
WHERE h.captured <> (SELECT CAST(COALESCE(SUM(l.amount), 0) AS BIGINT) FROM ledger_entries l WHERE l.session_id = h.session_id AND l.kind = 'capture')
   OR h.released <> (SELECT CAST(COALESCE(SUM(l.amount), 0) AS BIGINT) FROM ledger_entries l WHERE l.session_id = h.session_id AND l.kind = 'release')
   OR h.amount <> (SELECT CAST(COALESCE(SUM(l.amount), 0) AS BIGINT) FROM ledger_entries l WHERE l.session_id = h.session_id AND l.kind = 'hold')
   OR 1 < (SELECT COUNT(*) FROM ledger_entries l WHERE l.session_id = h.session_id AND l.kind = 'capture');
