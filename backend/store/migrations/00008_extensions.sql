-- +goose Up
-- Extensions of the sessions that were created on the day.
ALTER TABLE provider_analytics ADD COLUMN extensions BIGINT NOT NULL DEFAULT 0;
-- Every day is counted anew, once.
DELETE FROM rollups;

-- +goose Down
ALTER TABLE provider_analytics DROP COLUMN extensions;
