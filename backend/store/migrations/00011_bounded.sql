-- +goose Up
-- Lists by status, and searches for users, read no more rows than they return.
CREATE INDEX sessions_status ON sessions (status, id);
CREATE INDEX sessions_provider_status ON sessions (provider_id, status, id);
CREATE INDEX sessions_provider_user ON sessions (provider_id, user_id, id);
CREATE INDEX webhook_deliveries_status ON webhook_deliveries (webhook_id, status, created_ms, id);

-- +goose Down
DROP INDEX webhook_deliveries_status;
DROP INDEX sessions_provider_user;
DROP INDEX sessions_provider_status;
DROP INDEX sessions_status;
