-- +goose Up
-- A key is for programs; a link signs a browser in, and is nothing else.
ALTER TABLE api_keys ADD COLUMN kind TEXT NOT NULL DEFAULT 'key' CHECK (kind IN ('key', 'link'));

-- What edges said of themselves last.
CREATE TABLE edges (
    id            TEXT PRIMARY KEY,
    version       TEXT NOT NULL,
    address       TEXT NOT NULL,
    started_at    BIGINT NOT NULL,
    last_seen_at  BIGINT NOT NULL,
    live_sessions BIGINT NOT NULL,
    -- -1 while it has never heard its event stream.
    stream_lag_ms BIGINT NOT NULL
);
CREATE INDEX edges_seen ON edges (last_seen_at);

-- What became of the clock in a provider's pages, as edges saw it. Paths come
-- without query and without what could be somebody's name or number.
CREATE TABLE page_reports (
    provider_id TEXT NOT NULL REFERENCES providers (id),
    host        TEXT NOT NULL,
    path        TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    pages       BIGINT NOT NULL,
    last_at     BIGINT NOT NULL,
    PRIMARY KEY (provider_id, host, path, outcome)
);
CREATE INDEX page_reports_recent ON page_reports (provider_id, last_at);
CREATE INDEX page_reports_last ON page_reports (last_at);

-- +goose Down
DROP TABLE page_reports;
DROP TABLE edges;
ALTER TABLE api_keys DROP COLUMN kind;
