-- New entries of a GIN index wait in a list that every search reads in full; this merges them into the index.
SELECT coalesce(sum(gin_clean_pending_list(i.indexrelid::regclass)), 0)::int8 AS merged
FROM pg_inherits h
JOIN pg_index i ON i.indrelid = h.inhrelid
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_am a ON a.oid = c.relam AND a.amname = 'gin'
WHERE h.inhparent = 'event_search'::regclass
