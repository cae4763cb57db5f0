-- $1 project, $2 and $3 the first and the last id. The limit is on what is read, not on what succeeded: of a week in which
-- everything fails no more is read than of any other.
SELECT percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY latency_seconds) AS latency
FROM (
    SELECT status, latency_seconds
    FROM event_deliveries
    WHERE project_id = $1 AND id BETWEEN $2 AND $3
    ORDER BY id DESC
    LIMIT 10000
) AS newest
WHERE status = 'Success' AND latency_seconds IS NOT NULL
