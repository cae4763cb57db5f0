-- Which of these deliveries have unfinished ones before them in their lines: each by its key, as in load_outgoing.sql. The
-- states in these words, because the planner believes the line's index only so.
SELECT d.id
FROM unnest($1::uuid[], $2::uuid[]) AS wanted (project_id, id)
CROSS JOIN LATERAL (
    SELECT * FROM event_deliveries r
    WHERE r.project_id = wanted.project_id AND r.id = wanted.id AND r.id BETWEEN $3 AND $4
    LIMIT 1
) d
WHERE d.status IN ('Scheduled', 'Retry')
    AND (
        SELECT true FROM event_deliveries e
        WHERE e.endpoint_id = d.endpoint_id AND e.ordering_key = d.ordering_key AND e.line_place < d.line_place
            AND e.project_id = d.project_id AND e.status IN ('Scheduled', 'Processing', 'Retry')
        LIMIT 1
    )
