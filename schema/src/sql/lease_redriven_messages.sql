-- The next of those that wait to be read again, the oldest request first, and no other instance at them until the lease ends.
WITH next AS (
    SELECT project_id, id FROM rejected_messages
    WHERE redrive_requested_at IS NOT NULL AND (redrive_leased_until IS NULL OR redrive_leased_until < now())
    ORDER BY redrive_requested_at, id
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
UPDATE rejected_messages m
SET redrive_leased_until = now() + $2::interval
FROM next
WHERE m.project_id = next.project_id AND m.id = next.id
RETURNING m.project_id, m.id, m.source_id, m.payload, m.metadata, m.redrive_requested_at
