-- One statement, so one round trip and one transaction. Conditional, so that running a job twice changes nothing: an
-- outcome counts only where its attempt is the next one. The bound lets the planner leave out the partitions of the days
-- before; with an upper bound as well it would take the rows for so few that it reads the whole range for each. And of what
-- a limit lets through it expects so little that it looks each up by its key, also with a plan of an empty partition.
WITH appended AS (
    INSERT INTO delivery_attempts (
        project_id, id, event_delivery_id, endpoint_id, url, method, is_success, status_code, error, error_class,
        request_headers, response_headers, response_body, ip_address, requested_at, responded_at, duration_ms,
        queue_ms, dns_us, connect_us, tls_us, first_byte_us, redirects
    )
    SELECT * FROM unnest(
        $1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::bool[], $8::int[], $9::text[],
        $10::text[], $11::jsonb[], $12::jsonb[], $13::bytea[], $14::text[], $15::timestamptz[], $16::timestamptz[],
        $17::int[], $18::int[], $19::int[], $20::int[], $21::int[], $22::int[], $23::jsonb[]
    )
    ON CONFLICT DO NOTHING
)
UPDATE event_deliveries d
SET status = o.status,
    attempt_count = o.attempt_count,
    next_send_time = o.next_send_time,
    held_by = NULL,
    latency_seconds = coalesce(d.latency_seconds, o.latency_seconds),
    description = o.description,
    updated_at = now()
FROM (
    SELECT * FROM unnest(
        $24::uuid[], $25::uuid[], $26::text[], $27::int[], $28::timestamptz[], $29::float8[], $30::text[]
    ) AS o (project_id, id, status, attempt_count, next_send_time, latency_seconds, description)
    LIMIT $31
) o
WHERE d.project_id = o.project_id AND d.id = o.id AND d.id >= $32
    AND d.attempt_count = o.attempt_count - 1
    -- In these words, because the sweep's index would be read in full for the others.
    AND d.status NOT IN ('Success', 'Failure', 'Discarded')
