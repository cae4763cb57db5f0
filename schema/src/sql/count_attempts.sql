-- $1 subjects, $2 seconds of a window. In order, so that two at once wait for each other instead of locking up.
INSERT INTO attempt_counters AS c (subject, attempts, window_ends_at)
SELECT DISTINCT subject, 1, now() + make_interval(secs => $2) FROM unnest($1) AS s (subject) ORDER BY subject
ON CONFLICT (subject) DO UPDATE SET
    attempts = CASE WHEN c.window_ends_at <= now() THEN 1 ELSE LEAST(c.attempts, 1000000) + 1 END,
    window_ends_at = CASE WHEN c.window_ends_at <= now() THEN excluded.window_ends_at ELSE c.window_ends_at END
RETURNING subject, attempts, EXTRACT(epoch FROM window_ends_at - now())::double precision AS seconds
