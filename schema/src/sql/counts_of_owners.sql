-- One owner after the other, so that its index is looked up however common the owner's name is elsewhere.
WITH wanted AS (
    SELECT $1 AS project_id, owner_id FROM unnest($2) AS owner_id WHERE owner_id <> ''
)
SELECT w.owner_id, e.endpoints
FROM wanted AS w
CROSS JOIN LATERAL (
    SELECT count(*) AS endpoints FROM endpoints
    WHERE project_id = w.project_id AND owner_id = w.owner_id AND owner_id <> '' AND deleted_at IS NULL
) AS e
WHERE e.endpoints > 0
