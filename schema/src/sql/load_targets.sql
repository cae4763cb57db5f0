-- Secrets in the order of their making, the live ones only: an expired one must not sign.
SELECT
    e.project_id, e.id, e.name, e.url, e.status, e.advanced_signatures, e.content_type, e.http_timeout_seconds,
    e.rate_limit, e.rate_limit_duration_seconds, e.authentication, e.mtls_client_cert, e.ordering,
    e.follow_redirects,
    e.support_email,
    coalesce(s.ids, '{}') AS secret_ids, coalesce(s.secrets, '{}') AS secrets, coalesce(s.expiries, '{}') AS secret_expiries
FROM unnest($1::uuid[], $2::uuid[]) AS wanted (project_id, id)
JOIN endpoints e ON e.project_id = wanted.project_id AND e.id = wanted.id AND e.deleted_at IS NULL
CROSS JOIN LATERAL (
    SELECT array_agg(o.id ORDER BY o.id) AS ids, array_agg(o.value ORDER BY o.id) AS secrets, array_agg(o.expires_at ORDER BY o.id) AS expiries
    FROM endpoint_secrets o
    WHERE o.project_id = e.project_id AND o.endpoint_id = e.id AND o.deleted_at IS NULL
        AND (o.expires_at IS NULL OR o.expires_at > now())
) s
