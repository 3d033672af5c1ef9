-- +goose Up
-- The attempts that failed one after another, when the last of them failed, and
-- when the endpoint may be called again; all 0 after a success.
ALTER TABLE webhooks ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhooks ADD COLUMN last_failed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhooks ADD COLUMN retry_at_ms BIGINT NOT NULL DEFAULT 0;
-- A provider's keys are listed and counted; ids are in the order of time.
CREATE INDEX api_keys_provider ON api_keys (provider_id, id);

-- +goose Down
DROP INDEX api_keys_provider;
ALTER TABLE webhooks DROP COLUMN retry_at_ms;
ALTER TABLE webhooks DROP COLUMN last_failed_at;
ALTER TABLE webhooks DROP COLUMN failures;
