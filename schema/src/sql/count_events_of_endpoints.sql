-- $1 project, $2 days, $3 the first id of each, $4 the last id of each, $5 endpoints. A delivery carries its event's time, so a
-- day's bounds leave one partition to be read.
SELECT day, events
FROM unnest($2, $3, $4) AS d (day, first_id, last_id)
CROSS JOIN LATERAL (
    SELECT count(DISTINCT event_id) AS events
    FROM event_deliveries
    WHERE project_id = $1 AND endpoint_id = ANY ($5) AND id >= d.first_id AND id <= d.last_id
) AS counted
WHERE events > 0
