DROP INDEX endpoint_secrets_expiry;
DROP INDEX sources_stale;
ALTER TABLE sources
    DROP COLUMN stale_after_seconds,
    DROP COLUMN stale_since;
DROP TABLE retention_marks;
