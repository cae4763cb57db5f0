-- $1 and $2 the projects and beginnings of windows.
WITH windows AS (
    SELECT * FROM unnest($1, $2) AS w (project_id, at)
), events AS (
    DELETE FROM activity_events a USING windows w WHERE a.project_id = w.project_id AND a.at = w.at
)
DELETE FROM activity_deliveries a USING windows w WHERE a.project_id = w.project_id AND a.at = w.at
