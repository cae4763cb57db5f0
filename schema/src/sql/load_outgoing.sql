-- One row at a time by its key (LIMIT keeps the planner from turning this into a join over everything that was stored
-- meanwhile). The bounds let it leave out every partition that cannot hold one of the ids.
SELECT
    d.project_id, d.id, d.event_id, d.endpoint_id, d.subscription_id, d.event_type, d.status, d.delivery_mode,
    d.target_url, d.strategy, d.retry_interval_seconds, d.retry_limit, d.attempt_count, d.next_send_time, d.held_by,
    d.acknowledged_at, d.ordering_key, d.retry_schedule, d.give_up_at,
    coalesce(d.payload, e.payload) AS payload, e.headers, e.idempotency_key, e.url_query_params,
    coalesce((SELECT v.version FROM routing_versions v WHERE v.project_id = d.project_id), 0) AS routing_version
FROM unnest($1::uuid[], $2::uuid[]) AS wanted (project_id, id)
CROSS JOIN LATERAL (
    SELECT * FROM event_deliveries r
    WHERE r.project_id = wanted.project_id AND r.id = wanted.id AND r.id BETWEEN $3 AND $4
    LIMIT 1
) d
CROSS JOIN LATERAL (
    SELECT payload, headers, idempotency_key, url_query_params FROM events r
    WHERE r.project_id = d.project_id AND r.id = d.event_id AND r.id BETWEEN $5 AND $6
    LIMIT 1
) e
