-- One statement, so one round trip and one transaction: the deliveries of replays, and on each event the endpoints that it
-- reached once more. What is there already changes nothing, so a replay's job may run twice; an event that is gone has no
-- deliveries. Nothing is stored when the batch was matched by what has changed since: the answer names the projects.
WITH stale AS (
    SELECT k.project_id
    FROM unnest($1::uuid[], $2::int8[]) AS k (project_id, version)
    LEFT JOIN routing_versions v ON v.project_id = k.project_id
    WHERE coalesce(v.version, 0) <> k.version
), delivering AS (
    INSERT INTO event_deliveries (
        project_id, id, event_id, endpoint_id, subscription_id, event_type, status, delivery_mode, strategy,
        retry_interval_seconds, retry_limit, next_send_time, description, acknowledged_at, payload,
        retry_schedule, give_up_at
    )
    SELECT
        d.project_id, d.id, d.event_id, d.endpoint_id, d.subscription_id, d.event_type, d.status, d.delivery_mode, d.strategy,
        d.retry_interval_seconds, d.retry_limit, d.next_send_time, d.description, d.acknowledged_at,
        d.payload, d.retry_schedule::int[], d.give_up_at
    FROM unnest(
        $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[], $9::text[], $10::text[], $11::text[],
        $12::int[], $13::int[], $14::timestamptz[], $15::text[], $16::timestamptz[], $17::bytea[],
        $18::text[], $19::timestamptz[]
    ) AS d (
        project_id, id, event_id, endpoint_id, subscription_id, event_type, status, delivery_mode, strategy,
        retry_interval_seconds, retry_limit, next_send_time, description, acknowledged_at, payload,
        retry_schedule, give_up_at
    )
    WHERE NOT EXISTS (SELECT FROM stale)
        AND EXISTS (SELECT FROM events e WHERE e.project_id = d.project_id AND e.id = d.event_id)
    ON CONFLICT DO NOTHING
    RETURNING project_id, event_id, endpoint_id
), reached AS (
    UPDATE events e
    SET endpoint_ids = e.endpoint_ids || r.endpoint_ids, status = 'Success', failure_reason = NULL, updated_at = now()
    FROM (SELECT project_id, event_id, array_agg(endpoint_id) AS endpoint_ids FROM delivering GROUP BY 1, 2) r
    WHERE e.project_id = r.project_id AND e.id = r.event_id
)
SELECT project_id FROM stale
