-- Up to where a table of the ledger was purged: what is older is gone on purpose, and nothing is missing for it. The project
-- of nil stands for all. The table is one of the ledger's, or `payloads` for the data of events that stay.
CREATE TABLE retention_marks (
    project_id uuid NOT NULL,
    purged_table text NOT NULL,
    -- Ids below this one.
    purged_before uuid NOT NULL,
    PRIMARY KEY (project_id, purged_table)
);

-- How long a source may receive nothing until that is told; null: for ever. And since when it is known that it was too long.
ALTER TABLE sources
    ADD COLUMN stale_after_seconds integer CHECK (stale_after_seconds > 0),
    ADD COLUMN stale_since timestamptz;
-- What has ended is looked for by when it did.
CREATE INDEX endpoint_secrets_expiry ON endpoint_secrets (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX sources_stale ON sources (id) WHERE stale_after_seconds IS NOT NULL;
