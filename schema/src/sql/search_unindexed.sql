-- The next page of events in the order in which they were stored. Large payloads are not searched.
WITH reached AS (SELECT $1::timestamptz AS stored_at, $2::uuid AS id)
SELECT
    e.project_id, e.id, e.event_type, e.idempotency_key, e.headers,
    CASE WHEN octet_length(e.payload) <= 65536 THEN e.payload END AS payload,
    e.updated_at AS stored_at
FROM events e
WHERE e.updated_at BETWEEN (SELECT stored_at FROM reached) AND $3::timestamptz
    AND (e.updated_at, e.id) > (SELECT stored_at, id FROM reached)
ORDER BY e.updated_at, e.id
LIMIT 200
