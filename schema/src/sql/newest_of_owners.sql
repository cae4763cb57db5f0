WITH wanted AS (
    SELECT $1 AS project_id, owner_id FROM unnest($2) AS owner_id WHERE owner_id <> ''
)
SELECT e.id, e.owner_id
FROM wanted AS w
CROSS JOIN LATERAL (
    SELECT id, owner_id FROM endpoints
    WHERE project_id = w.project_id AND owner_id = w.owner_id AND owner_id <> '' AND deleted_at IS NULL
    ORDER BY id DESC LIMIT $3
) AS e
