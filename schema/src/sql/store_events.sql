-- One statement, so one round trip and one transaction. An event that was there already is left as it is, with the
-- deliveries that it was stored with.
WITH appended AS (
    INSERT INTO events (
        project_id, id, event_type, target_kind, target, source_id, headers, payload, idempotency_key, is_duplicate,
        url_query_params, url_path, endpoint_ids, status, failure_reason, acknowledged_at
    )
    SELECT
        project_id, id, event_type, target_kind, target, source_id, headers, payload, idempotency_key, is_duplicate,
        url_query_params, url_path, endpoint_ids::uuid[], status, failure_reason, acknowledged_at
    FROM unnest(
        $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::jsonb[], $8::bytea[], $9::text[],
        $10::bool[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::timestamptz[]
    ) AS e (
        project_id, id, event_type, target_kind, target, source_id, headers, payload, idempotency_key, is_duplicate,
        url_query_params, url_path, endpoint_ids, status, failure_reason, acknowledged_at
    )
    ON CONFLICT DO NOTHING
    RETURNING id
)
INSERT INTO event_deliveries (
    project_id, id, event_id, endpoint_id, subscription_id, event_type, status, delivery_mode, strategy,
    retry_interval_seconds, retry_limit, next_send_time, description, acknowledged_at
)
SELECT
    d.project_id, d.id, d.event_id, d.endpoint_id, d.subscription_id, d.event_type, d.status, d.delivery_mode, d.strategy,
    d.retry_interval_seconds, d.retry_limit, d.next_send_time, d.description, d.acknowledged_at
FROM unnest(
    $17::uuid[], $18::uuid[], $19::uuid[], $20::uuid[], $21::uuid[], $22::text[], $23::text[], $24::text[], $25::text[],
    $26::int[], $27::int[], $28::timestamptz[], $29::text[], $30::timestamptz[]
) AS d (
    project_id, id, event_id, endpoint_id, subscription_id, event_type, status, delivery_mode, strategy,
    retry_interval_seconds, retry_limit, next_send_time, description, acknowledged_at
)
-- IS TRUE makes this a look-up in a hash table; as a join it would be one loop within another.
WHERE (d.event_id IN (SELECT id FROM appended)) IS TRUE
ON CONFLICT DO NOTHING
