-- $1 and $2 the instants between which they were stored, $3 how many are named. A delivery has its event's time, so those of an
-- event are found through the primary key, in one day.
WITH sums AS (
    SELECT
        e.id,
        d.deliveries <> cardinality(e.endpoint_ids) AND NOT (
            d.deliveries < cardinality(e.endpoint_ids)
            AND e.id < coalesce(greatest(own.purged_before, everybody.purged_before), '00000000-0000-0000-0000-000000000000')
        ) OR (e.is_duplicate AND d.deliveries > 0) AS is_inconsistent
    FROM events e
    LEFT JOIN retention_marks own ON own.project_id = e.project_id AND own.purged_table = 'event_deliveries'
    LEFT JOIN retention_marks everybody
        ON everybody.project_id = '00000000-0000-0000-0000-000000000000' AND everybody.purged_table = 'event_deliveries'
    CROSS JOIN LATERAL (
        SELECT count(*) AS deliveries FROM event_deliveries d
        WHERE d.project_id = e.project_id AND d.event_id = e.id
            AND d.id >= (left(replace(e.id::text, '-', ''), 12) || repeat('0', 20))::uuid
            AND d.id <= (left(replace(e.id::text, '-', ''), 12) || repeat('f', 20))::uuid
    ) AS d
    WHERE e.updated_at > $1 AND e.updated_at <= $2
)
SELECT
    count(*) AS audited,
    count(*) FILTER (WHERE is_inconsistent) AS inconsistent,
    coalesce((array_agg(id ORDER BY id) FILTER (WHERE is_inconsistent))[1:$3], '{}') AS examples
FROM sums
