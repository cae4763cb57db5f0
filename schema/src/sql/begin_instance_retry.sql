-- $1 states, $2 first delivery, $3 last delivery, $4 event or null for all, $5 the runs' filter, $6 what they are part of.
-- A limit in each project, so that its index is asked for one row however many have failed.
WITH matching AS MATERIALIZED (
    SELECT p.id
    FROM projects AS p
    CROSS JOIN LATERAL (
        SELECT 1 FROM event_deliveries AS d
        WHERE d.project_id = p.id AND d.id >= $2 AND d.id <= $3
            AND d.status IN ('Failure', 'Discarded') AND d.status = ANY ($1)
            AND ($4::uuid IS NULL OR d.event_id = $4)
        LIMIT 1
    ) AS one
    WHERE p.deleted_at IS NULL
), begun AS (
    INSERT INTO batch_runs (project_id, id, kind, filter, instance_batch_id)
    -- In the order of projects, so that two at once never wait for each other.
    SELECT id, new_id(), 'retry', $5, $6 FROM matching ORDER BY id
    ON CONFLICT DO NOTHING
    RETURNING project_id, id
)
SELECT m.id AS project_id, b.id AS batch_run_id
FROM matching AS m
LEFT JOIN begun AS b ON b.project_id = m.id
ORDER BY m.id
