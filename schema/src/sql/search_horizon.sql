-- Up to when every event that was stored can be seen: before that, no transaction can commit any more. The window is short,
-- so that a page sorts little; `next` is where the events after it begin, as far as they can be seen.
WITH settled AS (
    SELECT least(
        now() - interval '2 seconds',
        (
            SELECT min(xact_start) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
                -- One that has not written for so long only reads.
                AND (backend_xid IS NOT NULL OR xact_start > now() - interval '1 minute')
        )
    ) AS until
), page AS (
    SELECT greatest(m.after, least(s.until, m.after + interval '10 seconds')) AS until, s.until AS settled
    FROM settled s, (SELECT $1::timestamptz AS after) m
)
SELECT p.until, p.settled, (SELECT min(e.updated_at) - interval '1 microsecond' FROM events e WHERE e.updated_at > p.until AND e.updated_at <= p.settled) AS next
FROM page p
