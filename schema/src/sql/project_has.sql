-- $1 project.
SELECT
    EXISTS (SELECT 1 FROM events WHERE project_id = $1) AS events,
    EXISTS (SELECT 1 FROM sources WHERE project_id = $1 AND deleted_at IS NULL) AS sources,
    EXISTS (SELECT 1 FROM endpoints WHERE project_id = $1 AND deleted_at IS NULL) AS endpoints,
    EXISTS (SELECT 1 FROM subscriptions WHERE project_id = $1 AND deleted_at IS NULL) AS subscriptions
