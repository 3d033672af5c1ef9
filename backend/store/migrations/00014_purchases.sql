-- +goose Up
-- What was bought, the earliest first, as JSON: the sale, then each extension. Empty in
-- sessions of earlier versions, which are read with their extensions instead.
ALTER TABLE sessions ADD COLUMN purchases TEXT NOT NULL DEFAULT '';
-- The exact times that started_at, paused_at and paused_seconds are rounded from, in Unix
-- microseconds; 0 where only those are known.
ALTER TABLE sessions ADD COLUMN started_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN paused_at_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN paused_us BIGINT NOT NULL DEFAULT 0;
-- When somebody first entered; 0 for never. Sessions of earlier versions have redeemed_at
-- instead.
ALTER TABLE sessions ADD COLUMN entered_at BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE sessions DROP COLUMN entered_at;
ALTER TABLE sessions DROP COLUMN paused_us;
ALTER TABLE sessions DROP COLUMN paused_at_us;
ALTER TABLE sessions DROP COLUMN started_us;
ALTER TABLE sessions DROP COLUMN purchases;
