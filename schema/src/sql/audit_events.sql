-- Each event in exactly one class; an event is inconsistent when its deliveries are not those it was matched to, unless they
-- were purged before it.
WITH sums AS (
    SELECT
        e.project_id, e.id, e.is_duplicate, e.id < greatest(own.purged_before, everybody.purged_before) AS is_purged, cardinality(e.endpoint_ids) AS matched,
        count(d.id) AS deliveries,
        count(*) FILTER (WHERE d.status = 'Success') AS delivered,
        count(*) FILTER (WHERE d.status = 'Failure') AS failed,
        count(*) FILTER (WHERE d.status = 'Discarded') AS discarded
    FROM events e
    LEFT JOIN retention_marks own ON own.project_id = e.project_id AND own.purged_table = 'event_deliveries'
    LEFT JOIN retention_marks everybody
        ON everybody.project_id = '00000000-0000-0000-0000-000000000000' AND everybody.purged_table = 'event_deliveries'
    LEFT JOIN event_deliveries d ON d.project_id = e.project_id AND d.event_id = e.id
    GROUP BY 1, 2, 3, 4, 5
)
SELECT
    CASE
        WHEN is_purged AND deliveries < matched AND NOT is_duplicate THEN 'expired'
        WHEN deliveries <> matched OR (is_duplicate AND deliveries > 0) THEN 'inconsistent'
        WHEN is_duplicate THEN 'duplicate'
        WHEN deliveries = 0 THEN 'unmatched'
        WHEN delivered + failed + discarded < deliveries THEN 'unfinished'
        WHEN failed > 0 THEN 'failed'
        WHEN discarded > 0 THEN 'discarded'
        ELSE 'delivered'
    END AS name,
    count(*) AS count
FROM sums
GROUP BY 1
