-- +goose Up
-- Lists by status, and searches for users, read no more rows than they return.
-- Two partial indexes instead of one, so that a provider's list by status never takes
-- them for its own.
CREATE INDEX sessions_live_status ON sessions (status, id) WHERE due_at > 0;
CREATE INDEX sessions_ended_status ON sessions (status, id) WHERE due_at = 0;
CREATE INDEX sessions_provider_status ON sessions (provider_id, status, id);
CREATE INDEX sessions_provider_user ON sessions (provider_id, user_id, id);
CREATE INDEX webhook_deliveries_status ON webhook_deliveries (webhook_id, status, created_ms, id);

-- +goose Down
DROP INDEX webhook_deliveries_status;
DROP INDEX sessions_provider_user;
DROP INDEX sessions_provider_status;
DROP INDEX sessions_ended_status;
DROP INDEX sessions_live_status;
