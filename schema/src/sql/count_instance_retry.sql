-- $1 states, $2 first delivery, $3 last delivery, $4 event or null for all.
SELECT count(*) AS number
FROM event_deliveries AS d
INNER JOIN projects AS p ON p.id = d.project_id AND p.deleted_at IS NULL
WHERE d.id >= $2 AND d.id <= $3
    AND d.status IN ('Failure', 'Discarded') AND d.status = ANY ($1)
    AND ($4::uuid IS NULL OR d.event_id = $4)
