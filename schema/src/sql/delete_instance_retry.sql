-- $1 batch. All of it or nothing: a run whose row is gone stops.
DELETE FROM batch_runs
WHERE instance_batch_id = $1 AND NOT EXISTS (
    SELECT 1 FROM batch_runs AS other
    WHERE other.instance_batch_id = $1 AND other.status IN ('pending', 'processing')
)
