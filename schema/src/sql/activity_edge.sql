-- $1 project. Windows before the edge are counted; how many deliveries the window at the edge and those after it were counted
-- to have.
SELECT edge.at, coalesce((
    SELECT sum(d.waiting + d.retry + d.success + d.discarded + d.failure)
    FROM activity_deliveries d WHERE d.project_id = $1 AND d.at >= edge.at
), 0)::int8 AS counted
FROM (
    SELECT date_bin('5 minutes', stored_at, timestamptz 'epoch') AS at FROM activity_mark
) AS edge
