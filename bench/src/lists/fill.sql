-- A ledger to list: {events} events over six days, each with two deliveries and as many attempts. One of {rare} has what is
-- asked for: of its type, source, key, endpoint, subscription or state there are only a few.
CREATE TABLE made AS
SELECT
    n,
    n % {rare} = 0 AS is_rare,
    to_timestamp(ms / 1000.0) AS at,
    (lpad(to_hex(ms), 12, '0') || substr(md5('event' || n), 1, 20))::uuid AS id,
    CASE WHEN n % {rare} = 0 THEN 'rare.type' ELSE 'type.' || n % 50 END AS event_type,
    CASE WHEN n % 10 = 0 THEN 'key-' || n ELSE '' END AS idempotency_key
FROM (
    SELECT n, (extract(epoch FROM now()) * 1000)::int8 - 60000 - n * (6 * 86400000::int8 / {events}) AS ms
    FROM generate_series(1, {events}) n
) s;

INSERT INTO events (
    project_id, id, event_type, target_kind, target, source_id, headers, payload, idempotency_key, endpoint_ids, status,
    acknowledged_at, updated_at
)
SELECT
    '{project}', id, event_type, 'single', '',
    CASE WHEN is_rare THEN '{rare_source}'::uuid WHEN n % 10 = 1 THEN '{source}'::uuid END,
    CASE WHEN is_rare THEN '{"X-Rare": ["yes"], "x-broker-message-id": ["message"]}'::jsonb ELSE '{"X-Batch": ["7"]}' END,
    convert_to('{"order": ' || n || ', "customer": {"id": "c' || n % 1000 || '", "rare": ' || is_rare || '}, "lines": [{"sku": "s'
        || n % 300 || '", "count": 2}, {"sku": "s' || n % 299 || '", "count": 1}], "note": "' || repeat(md5(n::text), 8) || '"}', 'UTF8'),
    idempotency_key,
    ARRAY[e.endpoints[1 + n % {endpoints}], CASE WHEN is_rare THEN '{rare_endpoint}'::uuid ELSE e.endpoints[1 + (n + 7) % {endpoints}] END],
    'Success', at, at
FROM made, (SELECT '{endpoint_ids}'::uuid[] AS endpoints) e;

INSERT INTO idempotency_keys SELECT '{project}', idempotency_key, id FROM made WHERE idempotency_key <> '';

INSERT INTO event_deliveries (
    project_id, id, event_id, endpoint_id, subscription_id, event_type, status, delivery_mode, strategy,
    retry_interval_seconds, retry_limit, attempt_count, next_send_time, latency_seconds, acknowledged_at, updated_at
)
SELECT
    '{project}', (left(id::text, 13) || substr(md5('delivery' || n || '-' || turn), 1, 20))::uuid, id,
    CASE WHEN is_rare AND turn = 2 THEN '{rare_endpoint}'::uuid ELSE e.endpoints[1 + (n + 7 * (turn - 1)) % {endpoints}] END,
    CASE
        WHEN is_rare AND turn = 2 THEN '{rare_subscription}'::uuid
        ELSE e.subscriptions[1 + (n + 7 * (turn - 1)) % {endpoints}]
    END,
    event_type,
    CASE WHEN n % 100 = 3 THEN 'Failure' WHEN n % {rare} = 5 THEN 'Discarded' WHEN n % {rare} = 7 THEN 'Retry' ELSE 'Success' END,
    'at_least_once', 'linear', 10, 3, 1, now() + interval '1 day', 0.01, at, at
FROM made, generate_series(1, 2) AS turn,
    (SELECT '{endpoint_ids}'::uuid[] AS endpoints, '{subscription_ids}'::uuid[] AS subscriptions) e;

INSERT INTO delivery_attempts (
    project_id, id, event_delivery_id, endpoint_id, url, method, is_success, status_code, requested_at, responded_at, duration_ms
)
SELECT
    project_id, (left(id::text, 13) || substr(md5('attempt' || id), 1, 20))::uuid, id, endpoint_id, 'http://127.0.0.1:1/', 'POST',
    status = 'Success', CASE WHEN status = 'Success' THEN 200 ELSE 500 END, acknowledged_at, acknowledged_at, 10
FROM event_deliveries WHERE project_id = '{project}';

INSERT INTO endpoints (project_id, id, name, url, owner_id, advanced_signatures)
SELECT '{project}', (lpad(to_hex(n), 12, '0') || substr(md5('endpoint' || n), 1, 20))::uuid, 'shop ' || n, 'http://127.0.0.1:1/' || n,
    'owner-' || n % 500, false
FROM generate_series(1, 10000) n;

INSERT INTO subscriptions (project_id, id, name, endpoint_id)
SELECT project_id, id, name, id FROM endpoints WHERE name LIKE 'shop %';

INSERT INTO meta_events (
    project_id, id, event_type, payload, status, strategy, retry_interval_seconds, retry_limit, attempt_count, next_send_time
)
SELECT '{project}', id, 'eventdelivery.failed', '{}', 'Success', 'linear', 10, 3, 1, now() FROM made WHERE n % 20 = 0;

ANALYZE;
