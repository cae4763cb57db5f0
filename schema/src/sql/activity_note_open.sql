-- $1 the first window that is counted. Notes those in which other deliveries are unfinished than were counted.
WITH unfinished AS (
    SELECT project_id, activity_window(id) AS at, count(*) AS open, count(*) FILTER (WHERE status = 'Retry') AS retry
    FROM event_deliveries
    WHERE status IN ('Scheduled', 'Processing', 'Retry')
    GROUP BY 1, 2
), counted AS (
    SELECT project_id, at, sum(waiting + retry) AS open, sum(retry) AS retry
    FROM activity_deliveries
    WHERE waiting + retry > 0
    GROUP BY 1, 2
)
INSERT INTO activity_stale (project_id, at)
SELECT project_id, at
FROM unfinished u
FULL JOIN counted c USING (project_id, at)
WHERE at >= $1 AND (u.open, u.retry) IS DISTINCT FROM (c.open, c.retry)
ON CONFLICT DO NOTHING
