-- +goose Up
-- When the user of a running session is next warned; 0 for never.
ALTER TABLE sessions ADD COLUMN warn_at BIGINT NOT NULL DEFAULT 0;

CREATE TABLE webhooks (
    id               TEXT PRIMARY KEY,
    provider_id      TEXT NOT NULL REFERENCES providers (id),
    url              TEXT NOT NULL,
    -- ",type,type," or empty for all types.
    events           TEXT NOT NULL,
    description      TEXT NOT NULL,
    -- As its owner received it, sealed if the service has a key for that.
    secret           TEXT NOT NULL,
    -- Still signed with until then, beside the new one.
    old_secret       TEXT NOT NULL DEFAULT '',
    old_secret_until BIGINT NOT NULL DEFAULT 0,
    version          BIGINT NOT NULL DEFAULT 1,
    -- 0 while deliveries are made.
    disabled_at      BIGINT NOT NULL DEFAULT 0,
    disabled_reason  TEXT NOT NULL DEFAULT '',
    -- Since when every attempt has failed; 0 after a success.
    failing_since    BIGINT NOT NULL DEFAULT 0,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL
);
CREATE INDEX webhooks_provider ON webhooks (provider_id, id);

-- What was to be told to whom: written with the change that it tells of. The
-- table is its own queue.
CREATE TABLE webhook_deliveries (
    id          TEXT PRIMARY KEY,
    webhook_id  TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    -- The webhook-id that receivers see, the same for every attempt and replay.
    message_id  TEXT NOT NULL,
    type        TEXT NOT NULL,
    session_id  TEXT NOT NULL,
    payload     TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
    -- Attempts since it was made or replayed, and altogether.
    tries       BIGINT NOT NULL,
    attempts    BIGINT NOT NULL,
    -- When it is due, or, while somebody attempts it, when that lease ends; 0
    -- once it is done.
    next_at_ms  BIGINT NOT NULL,
    created_ms  BIGINT NOT NULL,
    done_ms     BIGINT NOT NULL,
    last_status BIGINT NOT NULL,
    CHECK ((next_at_ms = 0) = (status <> 'pending'))
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_at_ms) WHERE next_at_ms > 0;
CREATE INDEX webhook_deliveries_list ON webhook_deliveries (webhook_id, created_ms, id);
CREATE INDEX webhook_deliveries_session ON webhook_deliveries (session_id);
CREATE INDEX webhook_deliveries_created ON webhook_deliveries (created_ms);

CREATE TABLE webhook_attempts (
    delivery_id TEXT NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
    attempt     BIGINT NOT NULL,
    at_ms       BIGINT NOT NULL,
    took_ms     BIGINT NOT NULL,
    -- HTTP status; 0 when there was no answer.
    status      BIGINT NOT NULL,
    -- The answer's beginning, or why there was none.
    response    TEXT NOT NULL,
    PRIMARY KEY (delivery_id, attempt)
);

-- +goose Down
DROP TABLE webhook_attempts;
DROP TABLE webhook_deliveries;
DROP TABLE webhooks;
ALTER TABLE sessions DROP COLUMN warn_at;
