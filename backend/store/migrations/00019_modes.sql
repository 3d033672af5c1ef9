-- +goose Up
-- What a session is for. Only live ones are revenue. Test sessions are sold by test keys,
-- whose tenant (marketplace_id) ends in .test; staff and preview sessions are opened by a
-- pass.
ALTER TABLE sessions ADD COLUMN mode TEXT NOT NULL DEFAULT 'live' CHECK (mode IN ('live', 'test', 'staff', 'preview'));
-- Empty for sessions that were sold.
ALTER TABLE sessions ADD COLUMN pass_id TEXT NOT NULL DEFAULT '';
-- A provider's lists and counts are of one mode: sessions of another cost them nothing.
CREATE INDEX sessions_provider_mode ON sessions (provider_id, mode, id);
CREATE INDEX sessions_provider_mode_status ON sessions (provider_id, mode, status, id);
CREATE INDEX sessions_provider_mode_user ON sessions (provider_id, mode, user_id, id);
CREATE INDEX sessions_mode_created ON sessions (provider_id, mode, created_at);
CREATE INDEX sessions_mode_live ON sessions (provider_id, mode, status) WHERE due_at > 0;
CREATE INDEX sessions_pass ON sessions (pass_id, created_at) WHERE pass_id <> '';
CREATE INDEX sessions_pass_live ON sessions (pass_id, id) WHERE pass_id <> '' AND due_at > 0;
DROP INDEX sessions_provider;
DROP INDEX sessions_provider_status;
DROP INDEX sessions_provider_user;
DROP INDEX sessions_created;
DROP INDEX sessions_live;

-- 1: the key sells and reads test sessions alone.
ALTER TABLE api_keys ADD COLUMN test BIGINT NOT NULL DEFAULT 0 CHECK (test IN (0, 1));

-- live: receives messages about live sessions; test: about all others.
ALTER TABLE webhooks ADD COLUMN mode TEXT NOT NULL DEFAULT 'live' CHECK (mode IN ('live', 'test'));

-- A way into a provider's app without a sale.
CREATE TABLE passes (
    id           TEXT PRIMARY KEY,
    provider_id  TEXT NOT NULL REFERENCES providers (id),
    kind         TEXT NOT NULL CHECK (kind IN ('staff', 'preview')),
    label        TEXT NOT NULL,
    -- SHA-256 of the secret in the pass's link, in hex.
    hash         TEXT NOT NULL UNIQUE,
    created_by   TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    revoked_at   BIGINT NOT NULL DEFAULT 0,
    -- How often it was used, and when last; 0 for never.
    entries      BIGINT NOT NULL DEFAULT 0,
    last_used_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX passes_provider ON passes (provider_id, id);
CREATE INDEX passes_expires ON passes (expires_at);
CREATE INDEX passes_revoked ON passes (revoked_at) WHERE revoked_at > 0;

-- The days of provider_analytics, of the other modes.
CREATE TABLE provider_mode_days (
    provider_id      TEXT NOT NULL REFERENCES providers (id),
    mode             TEXT NOT NULL,
    day              BIGINT NOT NULL,
    sessions         BIGINT NOT NULL,
    entered          BIGINT NOT NULL,
    completed        BIGINT NOT NULL,
    expired          BIGINT NOT NULL,
    revoked          BIGINT NOT NULL,
    canceled         BIGINT NOT NULL,
    tokens_allocated BIGINT NOT NULL,
    paid_seconds     BIGINT NOT NULL,
    used_seconds     BIGINT NOT NULL,
    users            BIGINT NOT NULL,
    captures         BIGINT NOT NULL,
    captured         BIGINT NOT NULL,
    released         BIGINT NOT NULL,
    held             BIGINT NOT NULL,
    extensions       BIGINT NOT NULL,
    PRIMARY KEY (provider_id, mode, day)
);

-- +goose Down
DROP TABLE provider_mode_days;
DROP TABLE passes;
ALTER TABLE webhooks DROP COLUMN mode;
ALTER TABLE api_keys DROP COLUMN test;
CREATE INDEX sessions_live ON sessions (provider_id, status) WHERE due_at > 0;
CREATE INDEX sessions_created ON sessions (provider_id, created_at);
CREATE INDEX sessions_provider_user ON sessions (provider_id, user_id, id);
CREATE INDEX sessions_provider_status ON sessions (provider_id, status, id);
CREATE INDEX sessions_provider ON sessions (provider_id, id);
DROP INDEX sessions_pass_live;
DROP INDEX sessions_pass;
DROP INDEX sessions_mode_live;
DROP INDEX sessions_mode_created;
DROP INDEX sessions_provider_mode_user;
DROP INDEX sessions_provider_mode_status;
DROP INDEX sessions_provider_mode;
ALTER TABLE sessions DROP COLUMN pass_id;
ALTER TABLE sessions DROP COLUMN mode;
