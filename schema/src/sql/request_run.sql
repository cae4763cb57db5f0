-- Nobody's term has the number 0.
WITH waiting AS (
    SELECT tick_at FROM schedule_ticks
    WHERE name = $1 AND enqueued_at IS NULL AND requested_by IS NOT NULL
    ORDER BY tick_at LIMIT 1
), asked AS (
    INSERT INTO schedule_ticks (name, tick_at, fencing_token, requested_by)
    SELECT s.name, $3, 0, $2
    FROM schedules s
    WHERE s.name = $1 AND s.retired_at IS NULL AND NOT EXISTS (SELECT FROM waiting)
    ON CONFLICT (name, tick_at) DO UPDATE SET requested_by = schedule_ticks.requested_by
    RETURNING tick_at
)
SELECT tick_at FROM asked UNION ALL SELECT tick_at FROM waiting
