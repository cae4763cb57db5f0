-- $1 project, $2 the first bar's beginning, $3 the edge of what is counted, $4 and $5 the first and the last id of what is not,
-- $6 seconds of a bar.
SELECT date_bin(make_interval(secs => $6), at, $2) AS at, sum(events)::int8 AS events
FROM (
    SELECT at, events FROM activity_events WHERE project_id = $1 AND at >= $2 AND at < $3
    UNION ALL
    SELECT date_bin(make_interval(secs => $6), acknowledged_at, $2), count(*)
    FROM events
    WHERE project_id = $1 AND id BETWEEN $4 AND $5
    GROUP BY 1
) AS parts
GROUP BY 1
ORDER BY 1
