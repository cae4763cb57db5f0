-- $1 project, $2 and $3 the first and the last id, $4 the first bar's beginning, $5 seconds of a bar.
SELECT date_bin(make_interval(secs => $5), acknowledged_at, $4) AS at, count(*) AS events
FROM events
WHERE project_id = $1 AND id BETWEEN $2 AND $3
GROUP BY 1
ORDER BY 1
