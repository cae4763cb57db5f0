-- Up to when every event that was stored can be seen: before that, no transaction can commit any more.
SELECT least(
    now() - interval '2 seconds',
    (
        SELECT min(xact_start) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
            -- One that has not written for so long only reads.
            AND (backend_xid IS NOT NULL OR xact_start > now() - interval '1 minute')
    )
) AS settled
