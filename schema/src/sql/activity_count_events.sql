-- $1 and $2 the projects and beginnings of windows, $3 and $4 the first and the last id of each.
INSERT INTO activity_events (project_id, at, events)
SELECT w.project_id, w.at, counted.events
FROM unnest($1, $2, $3, $4) AS w (project_id, at, first_id, last_id)
CROSS JOIN LATERAL (
    SELECT count(*) AS events FROM events e WHERE e.project_id = w.project_id AND e.id BETWEEN w.first_id AND w.last_id
) AS counted
WHERE counted.events > 0
