-- $1 how many. The newest windows that are to be counted, and that nobody is just noting.
WITH taken AS MATERIALIZED (
    SELECT project_id, at FROM activity_stale ORDER BY at DESC LIMIT $1 FOR UPDATE SKIP LOCKED
)
DELETE FROM activity_stale s
USING taken t
WHERE s.project_id = t.project_id AND s.at = t.at
RETURNING s.project_id, s.at
