-- +goose Up
-- The keys that sign tokens, where several backends share them.
CREATE TABLE signing_keys (
    kid         TEXT PRIMARY KEY,
    state       TEXT NOT NULL CHECK (state IN ('next', 'current', 'retired')),
    created_at  BIGINT NOT NULL,
    retired_at  BIGINT NOT NULL,
    -- PKCS #8 in PEM, sealed if the service has a key for that.
    private_key TEXT NOT NULL
);

-- One row: grows with every change of the keys, so that two changes at once
-- cannot both succeed.
CREATE TABLE signing_ring (
    id      BIGINT PRIMARY KEY CHECK (id = 1),
    version BIGINT NOT NULL
);
INSERT INTO signing_ring (id, version) VALUES (1, 0);

-- +goose Down
DROP TABLE signing_ring;
DROP TABLE signing_keys;
