-- Conditional, so that running a job twice changes nothing: an outcome counts only where its attempt is the next one.
UPDATE event_deliveries d
SET status = o.status,
    attempt_count = o.attempt_count,
    next_send_time = o.next_send_time,
    latency_seconds = coalesce(d.latency_seconds, o.latency_seconds),
    description = o.description,
    updated_at = now()
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::timestamptz[], $6::float8[], $7::text[])
    AS o (project_id, id, status, attempt_count, next_send_time, latency_seconds, description)
WHERE d.project_id = o.project_id AND d.id = o.id AND d.id BETWEEN $8 AND $9
    AND d.attempt_count = o.attempt_count - 1
    AND d.status IN ('Scheduled', 'Processing', 'Retry')
