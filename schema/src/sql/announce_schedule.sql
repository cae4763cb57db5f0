-- Only while the term lasts. What operators said stays as it is.
INSERT INTO schedules AS s (name, cron, catch_up_max, jitter_seconds, settings, next_tick_at, announced_by)
SELECT $1, $2, $3::int, $4::int, $5::jsonb, $6::timestamptz, $7
FROM leases WHERE leases.name = $8 AND leases.fencing_token = $9
ON CONFLICT (name) DO UPDATE
SET cron = excluded.cron, catch_up_max = excluded.catch_up_max, jitter_seconds = excluded.jitter_seconds,
    settings = excluded.settings, next_tick_at = excluded.next_tick_at, announced_by = excluded.announced_by,
    announced_at = now(), retired_at = NULL
