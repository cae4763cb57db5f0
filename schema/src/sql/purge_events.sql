-- As purge_rows.sql; with an event go the key that it owns and what searches find it by.
WITH gone AS (
    DELETE FROM {partition} WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM {partition}
        WHERE ($1::uuid IS NULL OR project_id = $1) AND id >= $2 AND id < $3 AND {condition}
        LIMIT $4
    ))
    RETURNING project_id, id, idempotency_key
), keys AS (
    DELETE FROM idempotency_keys k USING gone
    WHERE k.project_id = gone.project_id AND k.idempotency_key = gone.idempotency_key AND k.event_id = gone.id
), past_keys AS (
    DELETE FROM past_idempotency_keys k USING gone
    WHERE k.project_id = gone.project_id AND k.idempotency_key = gone.idempotency_key AND k.event_id = gone.id
), documents AS (
    DELETE FROM event_search s USING gone WHERE s.id = gone.id AND s.id >= $2 AND s.id < $3
)
SELECT count(*) AS count FROM gone
