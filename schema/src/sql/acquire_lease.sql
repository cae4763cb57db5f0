-- clock_timestamp(), because now() stands still within a transaction that waited for the row.
INSERT INTO leases AS l (name, holder, fencing_token, expires_at)
VALUES ($1, $2, 1, clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (name) DO UPDATE
SET holder = excluded.holder,
    fencing_token = CASE WHEN l.holder = excluded.holder AND l.expires_at > clock_timestamp() THEN l.fencing_token ELSE l.fencing_token + 1 END,
    expires_at = clock_timestamp() + make_interval(secs => $3)
WHERE l.holder = excluded.holder OR l.expires_at <= clock_timestamp()
RETURNING fencing_token
