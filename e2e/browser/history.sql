-- What a shop's gateway has done in a week, so that pages have something to show: {project} is the project, {person} the address
-- of who looks at it, and runs the instance. Nothing of it is sent: what is unfinished is due later.
UPDATE projects SET name = 'Shop' WHERE id = '{project}';

INSERT INTO organisation_members (organisation_id, user_id, role)
SELECT p.organisation_id, u.id, 'instance_admin' FROM projects p, users u WHERE p.id = '{project}' AND u.email = '{person}';

CREATE TEMP TABLE receivers AS
SELECT name, url, owner_id, types,
    (lpad(to_hex((extract(epoch FROM now()) * 1000)::int8 - 86400000::int8 * (90 - n)), 12, '0') || left(md5('endpoint' || n), 20))::uuid AS endpoint_id,
    (lpad(to_hex((extract(epoch FROM now()) * 1000)::int8 - 86400000::int8 * (90 - n)), 12, '0') || left(md5('subscription' || n), 20))::uuid AS subscription_id
FROM (VALUES
    (1, 'Payments', 'https://hooks.payments.example/posthouse', 'finance', '{order.paid,refund.issued}'::text[]),
    (2, 'Warehouse', 'https://wms.example/in/orders', 'logistics', '{order.paid,order.shipped}'),
    (3, 'Customer mails', 'https://mail.example/api/events', 'marketing', '{invoice.sent,order.shipped,customer.created}'),
    (4, 'Analytics', 'https://collector.example/v2/webhook', 'data', '{order.paid,order.shipped,invoice.sent,customer.created,refund.issued}'),
    (5, 'Nordic Books', 'https://nordicbooks.example/webhooks', 'partner-nordic', '{order.shipped}')
) AS r (n, name, url, owner_id, types);

INSERT INTO endpoints (project_id, id, name, url, owner_id, advanced_signatures)
SELECT '{project}', endpoint_id, name, url, owner_id, true FROM receivers;

INSERT INTO subscriptions (project_id, id, name, endpoint_id, event_types)
SELECT '{project}', subscription_id, name, endpoint_id, types FROM receivers;

-- More by day than by night. One is known by its number: it took three attempts.
CREATE TEMP TABLE happened AS
SELECT n, at,
    (lpad(to_hex((extract(epoch FROM at) * 1000)::int8), 12, '0') || left(md5('event' || n), 20))::uuid AS id,
    CASE WHEN n = 40 THEN 'order.paid' ELSE
        ('{order.paid,order.paid,order.shipped,invoice.sent,invoice.sent,customer.created,refund.issued}'::text[])[1 + chance / 100 % 7]
    END AS event_type
FROM (
    SELECT n, now() - interval '1 second' * (604800.0 * n / 12000) AS at, ('x' || left(md5('chance' || n), 6))::bit(24)::int AS chance
    FROM generate_series(1, 12000) n
) s
WHERE n = 40 OR chance % 100 < 55 + 40 * sin(extract(epoch FROM at) / 43200 * pi() - 2);

CREATE TEMP TABLE matched AS
SELECT h.*, r.endpoint_id, r.subscription_id, r.name, r.url,
    (left(h.id::text, 13) || substr(md5('delivery' || n || r.name), 1, 20))::uuid AS delivery_id,
    ('x' || left(md5(n || r.name), 6))::bit(24)::int AS chance
FROM happened h JOIN receivers r ON h.event_type = ANY (r.types);

INSERT INTO events (
    project_id, id, event_type, target_kind, target, headers, payload, idempotency_key, endpoint_ids, status, acknowledged_at
)
SELECT '{project}', h.id, event_type, 'broadcast', '', '{"X-Shop": ["eu-1"]}',
    convert_to(jsonb_build_object(
        'id', 'ord_' || 480000 + n, 'currency', 'EUR', 'amount', 1900 + n * 37 % 24000,
        'customer', jsonb_build_object('id', 'cus_' || n % 977, 'country', ('{DE,SE,FR,NL,PT}'::text[])[1 + n % 5]),
        'lines', jsonb_build_array(jsonb_build_object('sku', 'BK-' || 100 + n % 300, 'quantity', 1 + n % 3))
    )::text, 'UTF8'),
    CASE WHEN event_type = 'order.paid' THEN 'order-' || 480000 + n ELSE '' END,
    (SELECT array_agg(endpoint_id) FROM receivers r WHERE h.event_type = ANY (r.types)), 'Success', at
FROM happened h;

INSERT INTO idempotency_keys SELECT '{project}', 'order-' || 480000 + n, id FROM happened WHERE event_type = 'order.paid';

INSERT INTO event_deliveries (
    project_id, id, event_id, endpoint_id, subscription_id, event_type, status, delivery_mode, strategy,
    retry_interval_seconds, retry_limit, attempt_count, next_send_time, latency_seconds, description, acknowledged_at
)
SELECT '{project}', delivery_id, id, endpoint_id, subscription_id, event_type, status, 'at_least_once', 'exponential', 10, 3,
    CASE status WHEN 'Success' THEN CASE WHEN n = 40 OR chance % 50 = 7 THEN 3 ELSE 1 END WHEN 'Retry' THEN 2 WHEN 'Discarded' THEN 0 ELSE 3 END,
    now() + interval '40 minutes',
    CASE WHEN status = 'Success' THEN CASE WHEN n = 40 OR chance % 50 = 7 THEN 31.4 ELSE 0.04 + power(chance % 1000 / 1000.0, 9) * 1.7 END END,
    CASE status WHEN 'Failure' THEN 'Retry limit exceeded' WHEN 'Discarded' THEN 'The endpoint was paused.' ELSE '' END, at
FROM (
    SELECT *, CASE
        WHEN n = 40 THEN 'Success'
        WHEN name = 'Warehouse' AND at BETWEEN now() - interval '5 hours' AND now() - interval '4 hours' AND chance % 10 < 6 THEN 'Failure'
        WHEN at > now() - interval '15 minutes' AND chance % 12 = 1 THEN 'Retry'
        WHEN chance % 160 = 3 THEN 'Failure'
        WHEN chance % 240 = 5 THEN 'Discarded'
        ELSE 'Success'
    END AS status FROM matched
) m;

INSERT INTO delivery_attempts (
    project_id, id, event_delivery_id, endpoint_id, url, method, is_success, status_code, error, error_class, request_headers,
    response_headers, response_body, ip_address, requested_at, responded_at, duration_ms, queue_ms, dns_us, connect_us, tls_us,
    first_byte_us
)
SELECT '{project}', (lpad(to_hex((extract(epoch FROM begun) * 1000)::int8), 12, '0') || left(md5('attempt' || delivery_id || number), 20))::uuid,
    delivery_id, endpoint_id, url, 'POST', is_last,
    CASE WHEN is_last THEN 200 WHEN number = 1 THEN 503 END,
    CASE WHEN NOT is_last THEN CASE WHEN number = 1 THEN 'the endpoint answered 503' ELSE 'no answer within 10 s' END END,
    CASE WHEN NOT is_last THEN CASE WHEN number = 1 THEN 'response' ELSE 'timeout' END END,
    jsonb_build_object('content-type', jsonb_build_array('application/json'), 'user-agent', jsonb_build_array('Posthouse'), 'x-shop', jsonb_build_array('eu-1')),
    CASE WHEN is_last OR number = 1 THEN '{"content-type": ["application/json"], "server": ["nginx"]}'::jsonb ELSE '{}' END,
    CASE WHEN is_last THEN '{"received":true}' WHEN number = 1 THEN '{"error":"upstream is restarting"}' END::bytea,
    '203.0.113.' || 10 + chance % 5, begun, CASE WHEN is_last OR number = 1 THEN begun + interval '60 ms' END,
    CASE WHEN is_last OR number = 1 THEN 38 + chance % 60 ELSE 10000 END, 1 + chance % 3, 900 + chance % 2000,
    4000 + chance % 3000, 11000 + chance % 6000,
    CASE WHEN is_last OR number = 1 THEN 1000 * (34 + chance % 60) END
FROM (
    SELECT m.*, number, d.status = 'Success' AND number = d.attempt_count AS is_last,
        at + interval '20 ms' + interval '10 seconds' * (number * (number - 1) / 2) AS begun
    FROM matched m
    JOIN event_deliveries d ON d.project_id = '{project}' AND d.id = m.delivery_id
    CROSS JOIN generate_series(1, d.attempt_count) AS number
) a;

ANALYZE events, event_deliveries, delivery_attempts;
