-- +goose Up
-- What a person may do who signs in: one row for each role they were given.
CREATE TABLE people (
    id           TEXT PRIMARY KEY,
    -- In lower case.
    email        TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('provider', 'admin')),
    provider_id  TEXT NOT NULL DEFAULT '',
    -- Issuer and subject of the account that signed in first, in which an
    -- address that is given to somebody else does not count; empty before that.
    subject      TEXT NOT NULL DEFAULT '',
    created_at   BIGINT NOT NULL,
    -- 0 for never.
    last_seen_at BIGINT NOT NULL DEFAULT 0,
    CHECK ((role = 'provider') = (provider_id <> '')),
    UNIQUE (email, role, provider_id)
);

-- Open sign-ins of browsers: of a person, or of whoever holds an API key.
CREATE TABLE sign_ins (
    -- SHA-256 of the cookie, in hex.
    hash       TEXT PRIMARY KEY,
    person_id  TEXT NOT NULL DEFAULT '',
    key_id     TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    CHECK ((person_id = '') <> (key_id = ''))
);
CREATE INDEX sign_ins_person ON sign_ins (person_id);
CREATE INDEX sign_ins_expires ON sign_ins (expires_at);

-- What pages noticed, by day (UTC) and name, counted with provider_analytics.
CREATE TABLE provider_events (
    provider_id TEXT NOT NULL REFERENCES providers (id),
    day         BIGINT NOT NULL,
    name        TEXT NOT NULL,
    events      BIGINT NOT NULL,
    sessions    BIGINT NOT NULL,
    PRIMARY KEY (provider_id, day, name)
);

-- +goose Down
DROP TABLE provider_events;
DROP TABLE sign_ins;
DROP TABLE people;
