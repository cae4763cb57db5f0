-- $1 and $2 the instants between which events were stored, $3 how many are looked at, $4 the first window that is counted. Notes
-- the windows of the first of them, and answers when the last of those was stored: what was stored in the same instant is
-- among them.
WITH page AS (
    SELECT max(updated_at) AS stored_at
    FROM (SELECT updated_at FROM events WHERE updated_at > $1 AND updated_at <= $2 ORDER BY updated_at LIMIT $3) AS first
), noted AS (
    INSERT INTO activity_stale (project_id, at)
    SELECT DISTINCT e.project_id, activity_window(e.id)
    FROM events e
    WHERE e.updated_at > $1 AND e.updated_at <= (SELECT stored_at FROM page) AND activity_window(e.id) >= $4
    ON CONFLICT DO NOTHING
)
SELECT stored_at FROM page
