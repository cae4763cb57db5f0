-- $1 and $2 the projects and beginnings of windows, $3 and $4 the first and the last id of each.
INSERT INTO activity_deliveries (project_id, at, endpoint_id, waiting, retry, success, discarded, failure)
SELECT w.project_id, w.at, counted.*
FROM unnest($1, $2, $3, $4) AS w (project_id, at, first_id, last_id)
CROSS JOIN LATERAL (
    SELECT d.endpoint_id,
        count(*) FILTER (WHERE d.status IN ('Scheduled', 'Processing')),
        count(*) FILTER (WHERE d.status = 'Retry'),
        count(*) FILTER (WHERE d.status = 'Success'),
        count(*) FILTER (WHERE d.status = 'Discarded'),
        count(*) FILTER (WHERE d.status = 'Failure')
    FROM event_deliveries d
    WHERE d.project_id = w.project_id AND d.id BETWEEN w.first_id AND w.last_id
    GROUP BY d.endpoint_id
) AS counted
