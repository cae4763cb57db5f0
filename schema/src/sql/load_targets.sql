-- Secrets in the order of their making, the live ones only: an expired one must not sign.
SELECT
    e.project_id, e.id, e.name, e.url, e.status, e.advanced_signatures, e.content_type, e.http_timeout_seconds,
    e.authentication, e.support_email,
    coalesce(
        (
            SELECT array_agg(s.value ORDER BY s.id)
            FROM endpoint_secrets s
            WHERE s.project_id = e.project_id AND s.endpoint_id = e.id AND s.deleted_at IS NULL
                AND (s.expires_at IS NULL OR s.expires_at > now())
        ),
        '{}'
    ) AS secrets
FROM unnest($1::uuid[], $2::uuid[]) AS wanted (project_id, id)
JOIN endpoints e ON e.project_id = wanted.project_id AND e.id = wanted.id AND e.deleted_at IS NULL
