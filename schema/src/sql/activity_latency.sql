-- $1 project, $2 and $3 the first and the last id.
SELECT percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY latency_seconds) AS latency
FROM (
    SELECT latency_seconds
    FROM event_deliveries
    WHERE project_id = $1 AND id BETWEEN $2 AND $3 AND status = 'Success' AND latency_seconds IS NOT NULL
    ORDER BY id DESC
    LIMIT 10000
) AS newest
