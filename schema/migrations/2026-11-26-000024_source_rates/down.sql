ALTER TABLE sources
    DROP COLUMN rate_limit,
    DROP COLUMN rate_limit_duration_seconds;
