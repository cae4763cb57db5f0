-- $1 project, $2 endpoints, $3 the first window, $4 the edge of what is counted, $5 and $6 the first and the last id of what is
-- not.
SELECT endpoint_id, sum(success)::int8 AS success, sum(failure)::int8 AS failure, sum(retry)::int8 AS retry
FROM (
    SELECT endpoint_id, success, failure, retry
    FROM activity_deliveries
    WHERE project_id = $1 AND endpoint_id = ANY ($2) AND at >= $3 AND at < $4
    UNION ALL
    SELECT endpoint_id,
        count(*) FILTER (WHERE status = 'Success'),
        count(*) FILTER (WHERE status = 'Failure'),
        count(*) FILTER (WHERE status = 'Retry')
    FROM event_deliveries
    WHERE project_id = $1 AND endpoint_id = ANY ($2) AND id BETWEEN $5 AND $6
    GROUP BY endpoint_id
) AS parts
GROUP BY endpoint_id
