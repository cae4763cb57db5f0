-- A run can be called off, and a replay can be tried: then nothing is delivered, and the report says what would have been.
ALTER TABLE batch_runs
    ADD COLUMN report jsonb,
    DROP CONSTRAINT batch_runs_kind_check,
    ADD CONSTRAINT batch_runs_kind_check CHECK (kind IN ('retry', 'replay', 'dry_run')),
    DROP CONSTRAINT batch_runs_status_check,
    ADD CONSTRAINT batch_runs_status_check CHECK (status IN ('pending', 'processing', 'completed', 'failed', 'cancelled'));
