-- One that is there already is left as it is; one of a project that is gone goes with it.
INSERT INTO rejected_messages (project_id, id, source_id, reason, detail, payload, payload_bytes, metadata)
SELECT p.id, m.id, m.source_id, m.reason, m.detail, m.payload, m.payload_bytes, m.metadata
FROM (
    SELECT
        $1::uuid AS project_id, $2::uuid AS id, $3::uuid AS source_id, $4::text AS reason, $5::text AS detail,
        $6::bytea AS payload, $7::int8 AS payload_bytes, $8::jsonb AS metadata
) m
JOIN projects p ON p.id = m.project_id AND p.deleted_at IS NULL
ON CONFLICT DO NOTHING
