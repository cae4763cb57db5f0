-- Those of the ids whose document contains what is wanted, one by one by their key: LIMIT keeps the planner from asking the
-- index of documents instead, which names all that have it.
SELECT wanted.id
FROM unnest($1::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (SELECT document FROM event_search s WHERE s.id = wanted.id LIMIT 1) d
WHERE d.document @> $2
