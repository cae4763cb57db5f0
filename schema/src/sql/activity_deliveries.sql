-- $1 project, $2 the first bar's beginning, $3 the edge of what is counted, $4 and $5 the first and the last id of what is not,
-- $6 seconds of a bar.
SELECT date_bin(make_interval(secs => $6), at, $2) AS at,
    sum(success)::int8 AS success,
    sum(open)::int8 AS open,
    sum(discarded)::int8 AS discarded,
    sum(failure)::int8 AS failure
FROM (
    SELECT at, success, waiting + retry AS open, discarded, failure
    FROM activity_deliveries
    WHERE project_id = $1 AND at >= $2 AND at < $3
    UNION ALL
    SELECT date_bin(make_interval(secs => $6), acknowledged_at, $2),
        count(*) FILTER (WHERE status = 'Success'),
        count(*) FILTER (WHERE status IN ('Scheduled', 'Processing', 'Retry')),
        count(*) FILTER (WHERE status = 'Discarded'),
        count(*) FILTER (WHERE status = 'Failure')
    FROM event_deliveries
    WHERE project_id = $1 AND id BETWEEN $4 AND $5
    GROUP BY 1
) AS parts
GROUP BY 1
ORDER BY 1
