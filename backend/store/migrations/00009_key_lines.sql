-- +goose Up
-- The key that a line of rotations began with; empty for a key that began one.
-- Idempotency keys belong to the line, so that a request that is sent again with
-- the new key is still the same request.
ALTER TABLE api_keys ADD COLUMN line_id TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE api_keys DROP COLUMN line_id;
