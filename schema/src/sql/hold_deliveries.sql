-- One row at a time by its key, as in record_attempts.sql. What is final, or has been tried meanwhile, stays as it is.
-- Nobody waits for the disk: a note that PostgreSQL loses in a crash is written again when its delivery comes back, and
-- those of a failing endpoint must not make the others' commits wait.
UPDATE event_deliveries d
SET held_by = o.held_by,
    next_send_time = o.until,
    description = o.description,
    updated_at = now()
FROM (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::int[])
        AS o (project_id, id, held_by, until, description, attempt_count)
    LIMIT $7
) o
WHERE d.project_id = o.project_id AND d.id = o.id AND d.id >= $8
    AND d.attempt_count = o.attempt_count
    AND d.status NOT IN ('Success', 'Failure', 'Discarded', 'Processing')
    AND (SELECT set_config('synchronous_commit', 'off', true)) = 'off'
