-- The newest deliveries of some endpoints together, within a range: a few from the index of each.
SELECT d.id, d.event_id
FROM unnest($1::uuid[]) AS wanted (endpoint_id)
CROSS JOIN LATERAL (
    SELECT r.id, r.event_id FROM event_deliveries r
    WHERE r.endpoint_id = wanted.endpoint_id AND r.project_id = $2 AND r.id BETWEEN $3 AND $4
    ORDER BY r.id DESC LIMIT $5
) d
ORDER BY d.id DESC LIMIT $6
