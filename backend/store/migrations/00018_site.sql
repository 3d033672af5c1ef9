-- +goose Up
-- What a provider decides about its own site at the edge, without defaults. site_version
-- increases with every change; 0: never changed. site_at is the time of the last change, in
-- Unix seconds, by which processes find changes that were not published.
ALTER TABLE providers ADD COLUMN site TEXT NOT NULL DEFAULT '{}';
ALTER TABLE providers ADD COLUMN site_version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE providers ADD COLUMN site_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX providers_site_at ON providers (site_at, id) WHERE site_at > 0;

-- Which site settings the configuration of an edge sets itself: a JSON array.
ALTER TABLE edges ADD COLUMN sites TEXT NOT NULL DEFAULT '[]';

-- What an action changed, as a JSON array of fields with their values before and after;
-- empty if it is not recorded.
ALTER TABLE audit_log ADD COLUMN changes TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE audit_log DROP COLUMN changes;
ALTER TABLE edges DROP COLUMN sites;
DROP INDEX providers_site_at;
ALTER TABLE providers DROP COLUMN site_at;
ALTER TABLE providers DROP COLUMN site_version;
ALTER TABLE providers DROP COLUMN site;
