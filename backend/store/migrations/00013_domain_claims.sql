-- +goose Up
-- A provider's claim to a domain, and what DNS says of it. Several providers may claim
-- one domain; one of them at most holds it.
CREATE TABLE domain_claims (
    domain        TEXT NOT NULL,
    provider_id   TEXT NOT NULL REFERENCES providers (id),
    position      BIGINT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('pending', 'proven', 'suspended', 'vouched', 'local')),
    claimed_at    BIGINT NOT NULL,
    -- When the record was last seen; 0 for never.
    proven_at     BIGINT NOT NULL DEFAULT 0,
    -- When DNS was last asked; 0 for never. What it answered stands in found.
    checked_at    BIGINT NOT NULL DEFAULT 0,
    found         TEXT NOT NULL DEFAULT '',
    -- Of the checks in a row that did not find the record: how many, and when the first
    -- of them was.
    misses        BIGINT NOT NULL DEFAULT 0,
    missing_since BIGINT NOT NULL DEFAULT 0,
    -- When DNS is asked again; 0 for when somebody asks for it.
    due_at        BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (domain, provider_id)
);
-- Domains from before this rule count as vouched for.
INSERT INTO domain_claims (domain, provider_id, position, state, claimed_at)
SELECT d.domain, d.provider_id, d.position,
    CASE WHEN d.domain = 'localhost' OR d.domain LIKE '%.localhost' OR d.domain IN ('127.0.0.1', '::1') THEN 'local' ELSE 'vouched' END,
    p.created_at
FROM provider_domains d JOIN providers p ON p.id = d.provider_id;
DROP TABLE provider_domains;
CREATE UNIQUE INDEX domain_claims_holder ON domain_claims (domain) WHERE state IN ('proven', 'vouched', 'local');
CREATE INDEX domain_claims_provider ON domain_claims (provider_id, position);
CREATE INDEX domain_claims_due ON domain_claims (due_at) WHERE due_at > 0;

-- The secret from which the tokens in providers' DNS records are derived; one row.
CREATE TABLE domain_secret (
    id    BIGINT PRIMARY KEY CHECK (id = 1),
    value TEXT NOT NULL
);

-- +goose Down
DROP TABLE domain_secret;
CREATE TABLE provider_domains (
    domain      TEXT PRIMARY KEY,
    provider_id TEXT NOT NULL REFERENCES providers (id),
    position    BIGINT NOT NULL
);
INSERT INTO provider_domains (domain, provider_id, position)
SELECT domain, provider_id, position FROM domain_claims WHERE state IN ('proven', 'vouched', 'local');
DROP TABLE domain_claims;
CREATE INDEX provider_domains_provider ON provider_domains (provider_id, position);
