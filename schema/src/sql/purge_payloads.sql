-- As purge_rows.sql. No JSON is empty, so an empty payload is one that is gone. What a function made of it goes as well, and
-- what searches find it by.
WITH gone AS (
    UPDATE {partition} SET payload = '' WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM {partition}
        WHERE ($1::uuid IS NULL OR project_id = $1) AND id >= $2 AND id < $3 AND {condition}
        LIMIT $4
    ))
    RETURNING project_id, id
), made AS (
    UPDATE event_deliveries d SET payload = NULL FROM gone
    WHERE d.project_id = gone.project_id AND d.event_id = gone.id AND d.id >= $2 AND d.id < $3 AND d.payload IS NOT NULL
        AND d.id >= (left(replace(gone.id::text, '-', ''), 12) || repeat('0', 20))::uuid
        AND d.id <= (left(replace(gone.id::text, '-', ''), 12) || repeat('f', 20))::uuid
), documents AS (
    DELETE FROM event_search s USING gone WHERE s.id = gone.id AND s.id >= $2 AND s.id < $3
)
SELECT count(*) AS count FROM gone
