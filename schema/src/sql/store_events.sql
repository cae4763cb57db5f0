-- One statement, so one round trip and one transaction. An event that was there already is left as it is, with the
-- deliveries that it was stored with. Nothing is stored when the batch was matched by what has changed since: the answer
-- names the projects concerned.
WITH stale AS (
    SELECT k.project_id
    FROM unnest($1::uuid[], $2::int8[]) AS k (project_id, version)
    LEFT JOIN routing_versions v ON v.project_id = k.project_id
    WHERE coalesce(v.version, 0) <> k.version
), appended AS (
    INSERT INTO events (
        project_id, id, event_type, target_kind, target, source_id, headers, payload, idempotency_key, is_duplicate,
        url_query_params, url_path, endpoint_ids, status, failure_reason, acknowledged_at
    )
    SELECT
        project_id, id, event_type, target_kind, target, source_id, headers, payload, idempotency_key, is_duplicate,
        url_query_params, url_path, endpoint_ids::uuid[], status, failure_reason, acknowledged_at
    FROM unnest(
        $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::jsonb[], $10::bytea[], $11::text[],
        $12::bool[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::timestamptz[]
    ) AS e (
        project_id, id, event_type, target_kind, target, source_id, headers, payload, idempotency_key, is_duplicate,
        url_query_params, url_path, endpoint_ids, status, failure_reason, acknowledged_at
    )
    WHERE NOT EXISTS (SELECT FROM stale)
    ON CONFLICT DO NOTHING
    RETURNING id
), delivering AS (
    INSERT INTO event_deliveries (
        project_id, id, event_id, endpoint_id, subscription_id, event_type, status, delivery_mode, strategy,
        retry_interval_seconds, retry_limit, next_send_time, description, acknowledged_at, payload,
        retry_schedule, give_up_at, ordering_key, line_place
    )
    SELECT
        d.project_id, d.id, d.event_id, d.endpoint_id, d.subscription_id, d.event_type, d.status, d.delivery_mode, d.strategy,
        d.retry_interval_seconds, d.retry_limit, d.next_send_time, d.description, d.acknowledged_at,
        d.payload, d.retry_schedule::int[], d.give_up_at, d.ordering_key,
        -- In the order of the batch, which is the order of acceptance for whoever waited for each event to be stored.
        CASE WHEN d.ordering_key IS NOT NULL THEN nextval('delivery_line_places') END
    FROM unnest(
        $19::uuid[], $20::uuid[], $21::uuid[], $22::uuid[], $23::uuid[], $24::text[], $25::text[], $26::text[], $27::text[],
        $28::int[], $29::int[], $30::timestamptz[], $31::text[], $32::timestamptz[],
        $33::bytea[], $34::text[], $35::timestamptz[], $36::text[]
    ) AS d (
        project_id, id, event_id, endpoint_id, subscription_id, event_type, status, delivery_mode, strategy,
        retry_interval_seconds, retry_limit, next_send_time, description, acknowledged_at, payload,
        retry_schedule, give_up_at, ordering_key
    )
    -- IS TRUE makes this a look-up in a hash table; as a join it would be one loop within another.
    WHERE (d.event_id IN (SELECT id FROM appended)) IS TRUE
    ON CONFLICT DO NOTHING
)
SELECT project_id FROM stale
