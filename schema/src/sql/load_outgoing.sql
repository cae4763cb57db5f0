-- The bounds let the planner leave out every partition that cannot hold one of the ids.
SELECT
    d.project_id, d.id, d.event_id, d.endpoint_id, d.subscription_id, d.event_type, d.status, d.delivery_mode,
    d.target_url, d.strategy, d.retry_interval_seconds, d.retry_limit, d.attempt_count, d.next_send_time, d.acknowledged_at,
    e.payload, e.headers, e.idempotency_key, e.url_query_params
FROM unnest($1::uuid[], $2::uuid[]) AS wanted (project_id, id)
JOIN event_deliveries d ON d.project_id = wanted.project_id AND d.id = wanted.id AND d.id BETWEEN $3 AND $4
JOIN events e ON e.project_id = d.project_id AND e.id = d.event_id AND e.id BETWEEN $5 AND $6
