DELETE FROM batch_runs WHERE kind = 'dry_run';
UPDATE batch_runs SET status = 'failed' WHERE status = 'cancelled';
ALTER TABLE batch_runs
    DROP COLUMN report,
    DROP CONSTRAINT batch_runs_kind_check,
    ADD CONSTRAINT batch_runs_kind_check CHECK (kind IN ('retry', 'replay')),
    DROP CONSTRAINT batch_runs_status_check,
    ADD CONSTRAINT batch_runs_status_check CHECK (status IN ('pending', 'processing', 'completed', 'failed'));
