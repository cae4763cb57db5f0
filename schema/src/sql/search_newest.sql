-- Those of the newest documents of a range that contain what is wanted. What is common is found among a few of them, where its
-- index would first have to list all of a day.
SELECT id FROM (SELECT id, document FROM event_search WHERE id BETWEEN $1 AND $2 ORDER BY id DESC LIMIT $3) newest
WHERE document @> $4 ORDER BY id DESC LIMIT $5
