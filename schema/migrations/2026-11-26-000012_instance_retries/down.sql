DROP INDEX batch_runs_instance;
ALTER TABLE batch_runs DROP COLUMN instance_batch_id;
