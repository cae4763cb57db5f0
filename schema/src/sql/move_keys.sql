-- Keys that were free again go to their new owners; the originals before them are kept apart.
WITH past AS (
    INSERT INTO past_idempotency_keys (project_id, idempotency_key, event_id)
    SELECT p.project_id, p.idempotency_key, p.event_id
    FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS p (project_id, idempotency_key, event_id)
    ON CONFLICT DO NOTHING
)
UPDATE idempotency_keys k
SET event_id = n.event_id
FROM unnest($4::uuid[], $5::text[], $6::uuid[]) AS n (project_id, idempotency_key, event_id)
WHERE k.project_id = n.project_id AND k.idempotency_key = n.idempotency_key
