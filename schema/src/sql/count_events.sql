-- $1 project, $2 days, $3 the first id of each, $4 the last id of each. A day's bounds leave one partition to be read.
SELECT day, events
FROM unnest($2, $3, $4) AS d (day, first_id, last_id)
CROSS JOIN LATERAL (
    SELECT count(*) AS events FROM events WHERE project_id = $1 AND id >= d.first_id AND id <= d.last_id
) AS counted
WHERE events > 0
