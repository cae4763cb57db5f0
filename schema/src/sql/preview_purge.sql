-- $1 what it is called, $2 projects with a horizon of their own and $3 those, $4 that of all others, $5 the latest of them,
-- $6 the first id of all times.
SELECT $1 AS purged, project_id, count(*) AS rows
FROM {table} AS counted
LEFT JOIN unnest($2, $3) AS own (project, horizon) ON own.project = counted.project_id
WHERE id >= $6 AND id < $5 AND id < coalesce(own.horizon, $4) AND {condition}
GROUP BY project_id
ORDER BY project_id
