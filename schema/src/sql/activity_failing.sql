-- $1 project, $2 the first window, $3 the edge of what is counted, $4 and $5 the first and the last id of what is not, $6 how
-- many endpoints.
SELECT endpoint_id, sum(failures)::int8 AS failures
FROM (
    SELECT endpoint_id, failure AS failures
    FROM activity_deliveries
    WHERE project_id = $1 AND at >= $2 AND at < $3 AND failure > 0
    UNION ALL
    SELECT endpoint_id, count(*)
    FROM event_deliveries
    -- The first condition of the state is that of the partial index.
    WHERE project_id = $1 AND id BETWEEN $4 AND $5 AND status IN ('Failure', 'Discarded') AND status = 'Failure'
    GROUP BY endpoint_id
) AS parts
GROUP BY endpoint_id
ORDER BY failures DESC, endpoint_id
LIMIT $6
