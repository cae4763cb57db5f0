-- The retry over all projects that a run is part of; null for one that was asked for in its project. There is no row for
-- the whole: it is summed up from its runs.
ALTER TABLE batch_runs ADD COLUMN instance_batch_id uuid;
CREATE INDEX batch_runs_instance ON batch_runs (instance_batch_id) WHERE instance_batch_id IS NOT NULL;
