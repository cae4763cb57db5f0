-- $1 project, $2 and $3 the first and the last id, $4 the first bar's beginning, $5 seconds of a bar.
SELECT date_bin(make_interval(secs => $5), acknowledged_at, $4) AS at,
    count(*) FILTER (WHERE status = 'Success') AS success,
    count(*) FILTER (WHERE status IN ('Scheduled', 'Processing', 'Retry')) AS open,
    count(*) FILTER (WHERE status = 'Discarded') AS discarded,
    count(*) FILTER (WHERE status = 'Failure') AS failure
FROM event_deliveries
WHERE project_id = $1 AND id BETWEEN $2 AND $3
GROUP BY 1
ORDER BY 1
