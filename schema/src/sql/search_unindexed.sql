-- The next page of events in the order in which they were stored: since the last that was read, up to when all can be seen.
-- Large payloads are not searched.
SELECT
    e.project_id, e.id, e.event_type, e.idempotency_key, e.headers,
    CASE WHEN octet_length(e.payload) <= 65536 THEN e.payload END AS payload,
    e.updated_at AS stored_at
FROM events e
WHERE e.updated_at BETWEEN $1 AND $2 AND (e.updated_at, e.id) > ($3, $4)
ORDER BY e.updated_at, e.id
LIMIT $5
