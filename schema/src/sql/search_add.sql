-- An event that a replay has changed since is there already.
INSERT INTO event_search (project_id, id, document)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::jsonb[])
ON CONFLICT DO NOTHING
