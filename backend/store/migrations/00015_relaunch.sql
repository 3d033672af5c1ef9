-- +goose Up
-- How many new links a session was given, which of its links was redeemed last (0 is that
-- of the sale), and when the last one was made.
ALTER TABLE sessions ADD COLUMN relaunches BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN redeemed_link BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN relaunched_at BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE sessions DROP COLUMN relaunched_at;
ALTER TABLE sessions DROP COLUMN redeemed_link;
ALTER TABLE sessions DROP COLUMN relaunches;
