-- +goose Up
-- Why a session's clock stands still, since and until when (Unix microseconds), for how
-- long it stood still before, and whether its user had paused it.
ALTER TABLE sessions ADD COLUMN standstill TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN standstill_since_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN standstill_until_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN stood_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN standstill_paused BIGINT NOT NULL DEFAULT 0;
CREATE INDEX sessions_provider_due ON sessions (provider_id, id) WHERE due_at > 0;

-- The times in which a provider's app cannot be used. A row is deleted when its end has been
-- applied to all sessions of the provider.
CREATE TABLE standstills (
    provider_id TEXT NOT NULL REFERENCES providers (id),
    since_us    BIGINT NOT NULL,
    -- 0 while it lasts.
    until_us    BIGINT NOT NULL DEFAULT 0,
    reason      TEXT NOT NULL,
    -- 1 while its beginning or its end must still be applied to sessions. That is done in
    -- the order of their ids; last_id is the last one.
    pending     BIGINT NOT NULL DEFAULT 1,
    last_id     TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (provider_id, since_us)
);
CREATE INDEX standstills_pending ON standstills (provider_id, since_us) WHERE pending = 1;

-- +goose Down
DROP TABLE standstills;
DROP INDEX sessions_provider_due;
ALTER TABLE sessions DROP COLUMN standstill_paused;
ALTER TABLE sessions DROP COLUMN stood_us;
ALTER TABLE sessions DROP COLUMN standstill_until_us;
ALTER TABLE sessions DROP COLUMN standstill_since_us;
ALTER TABLE sessions DROP COLUMN standstill;
