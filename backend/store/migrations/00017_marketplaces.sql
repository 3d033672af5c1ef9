-- +goose Up
-- A marketplace is a tenant: its keys, users, balances and sessions are its own.
CREATE TABLE marketplaces (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
-- What existed before belongs to this one.
INSERT INTO marketplaces (id, name, created_at) VALUES ('mkt_default', 'Default', 0);

-- Empty for keys of other roles.
ALTER TABLE api_keys ADD COLUMN marketplace_id TEXT NOT NULL DEFAULT '';
UPDATE api_keys SET marketplace_id = 'mkt_default' WHERE role = 'marketplace';

-- user_id is the user's subject: its id at mkt_default, marketplace~id elsewhere, so
-- that each user has one row, whoever else has a user of the same id.
ALTER TABLE accounts ADD COLUMN marketplace_id TEXT NOT NULL DEFAULT 'mkt_default';
ALTER TABLE ledger_entries ADD COLUMN marketplace_id TEXT NOT NULL DEFAULT 'mkt_default';
ALTER TABLE sessions ADD COLUMN marketplace_id TEXT NOT NULL DEFAULT 'mkt_default';

-- A marketplace's lists read no more rows than they return.
CREATE INDEX sessions_marketplace ON sessions (marketplace_id, id);
CREATE INDEX sessions_marketplace_live ON sessions (marketplace_id, status, id) WHERE due_at > 0;
CREATE INDEX sessions_marketplace_ended ON sessions (marketplace_id, status, id) WHERE due_at = 0;
CREATE INDEX sessions_marketplace_provider ON sessions (marketplace_id, provider_id, id);
CREATE INDEX sessions_marketplace_provider_status ON sessions (marketplace_id, provider_id, status, id);
-- Nothing lists the sessions of all marketplaces by status.
DROP INDEX sessions_live_status;
DROP INDEX sessions_ended_status;

-- What portal guests changed and nobody has confirmed: at most one row for each setting
-- and webhook of a provider.
CREATE TABLE guest_changes (
    provider_id TEXT NOT NULL REFERENCES providers (id),
    -- domains, origin_url, app_url, policies, or webhook: and the webhook's id.
    item        TEXT NOT NULL,
    link_id     TEXT NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (provider_id, item)
);
CREATE INDEX people_provider ON people (provider_id);

-- +goose Down
DROP INDEX people_provider;
DROP TABLE guest_changes;
CREATE INDEX sessions_live_status ON sessions (status, id) WHERE due_at > 0;
CREATE INDEX sessions_ended_status ON sessions (status, id) WHERE due_at = 0;
DROP INDEX sessions_marketplace_provider_status;
DROP INDEX sessions_marketplace_provider;
DROP INDEX sessions_marketplace_ended;
DROP INDEX sessions_marketplace_live;
DROP INDEX sessions_marketplace;
ALTER TABLE sessions DROP COLUMN marketplace_id;
ALTER TABLE ledger_entries DROP COLUMN marketplace_id;
ALTER TABLE accounts DROP COLUMN marketplace_id;
ALTER TABLE api_keys DROP COLUMN marketplace_id;
DROP TABLE marketplaces;
