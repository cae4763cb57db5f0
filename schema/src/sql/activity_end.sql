-- $1 the first window that is kept.
WITH events AS (
    DELETE FROM activity_events WHERE at < $1
)
DELETE FROM activity_deliveries WHERE at < $1
