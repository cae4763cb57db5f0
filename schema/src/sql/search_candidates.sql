-- Ids of a range whose document contains what is wanted, the oldest or the newest first. Materialised, so that the search is
-- answered by its index whatever the order and the limit: for a page in the order of ids the planner would rather read every
-- document of the range, in the hope of soon having met enough that match. Two conditions, because the planner takes each
-- for met by one document of a hundred where it knows nothing better, and one alone for no better than a range of ids.
WITH found AS MATERIALIZED (
    SELECT id FROM event_search WHERE document @> $1 AND document @> $2 AND id BETWEEN $3 AND $4
)
SELECT id FROM found ORDER BY CASE WHEN $5 THEN id END, id DESC LIMIT $6
