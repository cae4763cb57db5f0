-- $1 how many. An event's id is its time, so only the days are looked at that could hold one; a change of the source begins
-- the time anew.
SELECT project_id, id, name, kind, broker, allowed_since, is_silent
FROM (
    SELECT
        s.project_id, s.id, s.name, s.kind, s.pub_sub ->> 'type' AS broker, s.stale_since, allowed_since,
        s.updated_at < allowed_since AND NOT s.is_disabled AND NOT EXISTS (
            SELECT FROM events e
            WHERE e.source_id = s.id
                AND e.id >= (lpad(to_hex((extract(epoch FROM allowed_since) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
        ) AS is_silent
    FROM sources s
    CROSS JOIN LATERAL (SELECT now() - make_interval(secs => s.stale_after_seconds) AS allowed_since) AS a
    WHERE s.stale_after_seconds IS NOT NULL AND s.deleted_at IS NULL
) AS known
WHERE is_silent <> (stale_since IS NOT NULL)
ORDER BY id
LIMIT $1
