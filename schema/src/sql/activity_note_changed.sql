-- $1 project, $2 deliveries, $3 the first window that is counted. Whoever counts a window meanwhile has not seen this change: the
-- row is theirs to take only when it is committed.
INSERT INTO activity_stale (project_id, at)
SELECT DISTINCT $1, activity_window(id)
FROM unnest($2) AS changed (id)
WHERE activity_window(id) >= $3
ORDER BY 2
ON CONFLICT (project_id, at) DO UPDATE SET at = excluded.at
