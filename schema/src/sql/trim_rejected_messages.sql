-- The oldest of a source give way.
DELETE FROM rejected_messages
WHERE project_id = $1 AND source_id = $2 AND id <= (
    SELECT id FROM rejected_messages
    WHERE project_id = $3 AND source_id = $4
    ORDER BY id DESC
    OFFSET $5
    LIMIT 1
)
