-- +goose Up
-- What the pages of a session have reported: one row, read by its key, instead of a
-- count over the session's events. names is a JSON array of the distinct names.
CREATE TABLE session_event_use (
    session_id TEXT PRIMARY KEY REFERENCES sessions (id),
    events     BIGINT NOT NULL,
    bytes      BIGINT NOT NULL,
    names      TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX session_event_use_updated ON session_event_use (updated_at);

-- What the pages of a provider have reported on a day (UTC).
CREATE TABLE provider_event_days (
    provider_id TEXT NOT NULL REFERENCES providers (id),
    day         BIGINT NOT NULL,
    events      BIGINT NOT NULL,
    bytes       BIGINT NOT NULL,
    names       BIGINT NOT NULL,
    PRIMARY KEY (provider_id, day)
);
INSERT INTO provider_event_days (provider_id, day, events, bytes, names)
SELECT provider_id, day, CAST(SUM(events) AS BIGINT), 0, COUNT(*) FROM provider_events GROUP BY provider_id, day;

-- Old events, names and days are removed in the order of time.
CREATE INDEX session_events_pages ON session_events (id) WHERE source = 'page';
CREATE INDEX provider_events_day ON provider_events (day);
CREATE INDEX provider_event_days_day ON provider_event_days (day);

-- +goose Down
DROP INDEX provider_event_days_day;
DROP INDEX provider_events_day;
DROP INDEX session_events_pages;
DROP TABLE provider_event_days;
DROP TABLE session_event_use;
