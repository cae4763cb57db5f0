-- At most so many messages or requests of a source in so much time; 0 for no limit.
ALTER TABLE sources
    ADD COLUMN rate_limit integer NOT NULL DEFAULT 0 CHECK (rate_limit >= 0),
    ADD COLUMN rate_limit_duration_seconds integer NOT NULL DEFAULT 0 CHECK (rate_limit_duration_seconds >= 0);
