-- $1 project or null for all, $2 and $3 the ids between which, $4 how many at most. What changes meanwhile is looked at again.
WITH gone AS (
    DELETE FROM {partition} WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM {partition}
        WHERE ($1::uuid IS NULL OR project_id = $1) AND id >= $2 AND id < $3 AND {condition}
        LIMIT $4
    )) AND {condition}
    RETURNING id
)
SELECT count(*) AS count FROM gone
