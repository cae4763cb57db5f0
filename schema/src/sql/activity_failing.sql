-- $1 project, $2 and $3 the first and the last id, $4 how many endpoints.
SELECT endpoint_id, count(*) AS failures
FROM event_deliveries
-- The first condition is that of the partial index.
WHERE project_id = $1 AND id BETWEEN $2 AND $3 AND status IN ('Failure', 'Discarded') AND status = 'Failure'
GROUP BY endpoint_id
ORDER BY failures DESC, endpoint_id
LIMIT $4
