-- $1 the audit's schedule, $2 since when.
SELECT
    coalesce(sum((result ->> 'audited')::bigint), 0)::bigint AS audited,
    coalesce(sum((result ->> 'inconsistent')::bigint), 0)::bigint AS inconsistent,
    coalesce((array_agg((result ->> 'overdue')::bigint ORDER BY tick_at DESC))[1], 0) AS overdue,
    (array_agg((result ->> 'until')::timestamptz ORDER BY tick_at DESC))[1] AS until
FROM schedule_ticks
WHERE name = $1 AND tick_at > $2 AND result IS NOT NULL
