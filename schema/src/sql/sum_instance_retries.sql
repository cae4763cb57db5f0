-- The batches between two ids, each summed up from its runs.
SELECT
    instance_batch_id AS id,
    count(*) AS projects,
    sum(done)::bigint AS done,
    count(*) FILTER (WHERE status = 'pending') AS pending,
    count(*) FILTER (WHERE status = 'processing') AS processing,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    -- The same for all of them.
    min(filter::text)::jsonb AS filter,
    min(created_at) AS created_at,
    max(updated_at) AS updated_at
FROM batch_runs
WHERE instance_batch_id >= $1 AND instance_batch_id <= $2
GROUP BY instance_batch_id
ORDER BY instance_batch_id DESC LIMIT $3
