-- One schema for SQLite and PostgreSQL: ids are TEXT, times BIGINT Unix seconds
-- (0 for never), amounts BIGINT tokens, structured values JSON in TEXT.

-- +goose Up
CREATE TABLE providers (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    origin_url  TEXT NOT NULL DEFAULT '',
    app_url     TEXT NOT NULL DEFAULT '',
    policies    TEXT NOT NULL DEFAULT '{}',
    version     BIGINT NOT NULL DEFAULT 1,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);

CREATE TABLE provider_domains (
    domain      TEXT PRIMARY KEY,
    provider_id TEXT NOT NULL REFERENCES providers (id),
    position    BIGINT NOT NULL
);
CREATE INDEX provider_domains_provider ON provider_domains (provider_id, position);

CREATE TABLE api_keys (
    id          TEXT PRIMARY KEY,
    hash        TEXT NOT NULL UNIQUE,
    hint        TEXT NOT NULL,
    role        TEXT NOT NULL CHECK (role IN ('marketplace', 'provider', 'edge', 'admin')),
    provider_id TEXT NOT NULL DEFAULT '',
    name        TEXT NOT NULL DEFAULT '',
    created_at  BIGINT NOT NULL,
    revoked_at  BIGINT NOT NULL DEFAULT 0,
    CHECK (role <> 'provider' OR provider_id <> '')
);

CREATE TABLE accounts (
    user_id     TEXT PRIMARY KEY,
    posted      BIGINT NOT NULL CHECK (posted >= 0),
    held        BIGINT NOT NULL CHECK (held >= 0),
    CHECK (posted - held >= 0)
);

CREATE TABLE sessions (
    id               TEXT PRIMARY KEY,
    user_id          TEXT NOT NULL,
    provider_id      TEXT NOT NULL REFERENCES providers (id),
    status           TEXT NOT NULL CHECK (status IN ('pending', 'active', 'paused', 'completed', 'expired', 'revoked', 'canceled')),
    version          BIGINT NOT NULL,
    clock            TEXT NOT NULL CHECK (clock IN ('creation', 'launch')),
    tokens           BIGINT NOT NULL CHECK (tokens >= 0),
    duration_seconds BIGINT NOT NULL CHECK (duration_seconds > 0),
    return_url       TEXT NOT NULL,
    consent_url      TEXT NOT NULL,
    terms            TEXT NOT NULL,
    offer_used       BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    launch_by        BIGINT NOT NULL,
    started_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    paused_at        BIGINT NOT NULL,
    paused_seconds   BIGINT NOT NULL,
    pause_count      BIGINT NOT NULL,
    redemption_id    TEXT NOT NULL,
    redeemed_at      BIGINT NOT NULL,
    -- When time itself next changes the session; 0 once it is over.
    due_at           BIGINT NOT NULL,
    ended_at         BIGINT NOT NULL,
    end_reason       TEXT NOT NULL,
    captured         BIGINT NOT NULL,
    released         BIGINT NOT NULL,
    used_seconds     BIGINT NOT NULL,
    CHECK (ended_at = 0 OR captured + released = tokens),
    CHECK ((due_at = 0) = (status IN ('completed', 'expired', 'revoked', 'canceled')))
);
CREATE INDEX sessions_due ON sessions (due_at) WHERE due_at > 0;
CREATE INDEX sessions_provider ON sessions (provider_id, id);
CREATE INDEX sessions_user ON sessions (user_id, id);

CREATE TABLE session_beats (
    session_id  TEXT PRIMARY KEY REFERENCES sessions (id),
    last_at     BIGINT NOT NULL,
    beats       BIGINT NOT NULL,
    active      BIGINT NOT NULL
);

CREATE TABLE session_extensions (
    session_id  TEXT NOT NULL REFERENCES sessions (id),
    version     BIGINT NOT NULL,
    actor       TEXT NOT NULL,
    seconds     BIGINT NOT NULL CHECK (seconds > 0),
    tokens      BIGINT NOT NULL CHECK (tokens >= 0),
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (session_id, version)
);

-- What happened: the session's own transitions (source 'session', one per
-- version) and what its pages noticed (source 'page').
CREATE TABLE session_events (
    id          TEXT PRIMARY KEY,
    session_id  TEXT NOT NULL REFERENCES sessions (id),
    source      TEXT NOT NULL CHECK (source IN ('session', 'page')),
    name        TEXT NOT NULL,
    at_ms       BIGINT NOT NULL,
    props       TEXT NOT NULL
);
CREATE INDEX session_events_session ON session_events (session_id, id);

CREATE TABLE holds (
    session_id  TEXT PRIMARY KEY REFERENCES sessions (id),
    user_id     TEXT NOT NULL REFERENCES accounts (user_id),
    provider_id TEXT NOT NULL,
    amount      BIGINT NOT NULL CHECK (amount >= 0),
    grown       BIGINT NOT NULL DEFAULT 0,
    settled     BIGINT NOT NULL DEFAULT 0 CHECK (settled IN (0, 1)),
    captured    BIGINT NOT NULL DEFAULT 0 CHECK (captured >= 0),
    released    BIGINT NOT NULL DEFAULT 0 CHECK (released >= 0),
    CHECK (settled = 0 OR captured + released = amount)
);
CREATE INDEX holds_open ON holds (user_id) WHERE settled = 0;

-- Double entry: every row takes from one account what it gives to another, and
-- is never changed.
CREATE TABLE ledger_entries (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL CHECK (kind IN ('credit', 'hold', 'capture', 'release')),
    debit       TEXT NOT NULL,
    credit      TEXT NOT NULL,
    amount      BIGINT NOT NULL CHECK (amount > 0),
    user_id     TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    session_id  TEXT NOT NULL,
    at_us       BIGINT NOT NULL,
    CHECK (debit <> credit)
);
CREATE INDEX ledger_entries_user ON ledger_entries (user_id, at_us, id);
CREATE INDEX ledger_entries_provider ON ledger_entries (provider_id, at_us);
CREATE INDEX ledger_entries_session ON ledger_entries (session_id);

CREATE TABLE idempotency_keys (
    scope        TEXT NOT NULL,
    key          TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    response     TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

-- +goose Down
DROP TABLE idempotency_keys;
DROP TABLE ledger_entries;
DROP TABLE holds;
DROP TABLE session_events;
DROP TABLE session_extensions;
DROP TABLE session_beats;
DROP TABLE sessions;
DROP TABLE accounts;
DROP TABLE api_keys;
DROP TABLE provider_domains;
DROP TABLE providers;
