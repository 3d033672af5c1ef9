-- +goose Up
CREATE INDEX sessions_created ON sessions (provider_id, created_at);
CREATE INDEX sessions_live ON sessions (provider_id, status) WHERE due_at > 0;

-- A provider's days (UTC), recounted whenever something of them changed.
-- Sessions belong to the day they were created on, tokens to the day of their
-- ledger entries.
CREATE TABLE provider_analytics (
    provider_id      TEXT NOT NULL REFERENCES providers (id),
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
    new_users        BIGINT NOT NULL,
    captures         BIGINT NOT NULL,
    captured         BIGINT NOT NULL,
    released         BIGINT NOT NULL,
    held             BIGINT NOT NULL,
    PRIMARY KEY (provider_id, day)
);

-- On which day each user came to each provider first.
CREATE TABLE provider_users (
    provider_id TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    first_day   BIGINT NOT NULL,
    PRIMARY KEY (provider_id, user_id)
);
CREATE INDEX provider_users_day ON provider_users (provider_id, first_day);

-- Up to which moment changes are counted.
CREATE TABLE rollups (
    name  TEXT PRIMARY KEY,
    at_ms BIGINT NOT NULL
);

-- +goose Down
DROP TABLE rollups;
DROP TABLE provider_users;
DROP TABLE provider_analytics;
DROP INDEX sessions_live;
DROP INDEX sessions_created;
