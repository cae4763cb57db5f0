-- $1 session, $2 user, $3 generation presented, $4 seconds to go on, $5 seconds of life in all, $6 seconds within which the
-- last generation may come again without harm.
WITH rotated AS (
    UPDATE sessions
    SET generation = generation + 1, rotated_at = now(),
        expires_at = LEAST(now() + make_interval(secs => $4), created_at + make_interval(secs => $5))
    WHERE id = $1 AND user_id = $2 AND generation = $3 AND ended_at IS NULL AND expires_at > now()
    RETURNING generation
), ended AS (
    -- Both parts see the row as it was before: an older generation is one that is smaller then.
    UPDATE sessions
    SET ended_at = now()
    WHERE id = $1 AND user_id = $2 AND ended_at IS NULL
        AND (generation > $3 + 1 OR (generation = $3 + 1 AND rotated_at < now() - make_interval(secs => $6)))
)
SELECT generation FROM rotated
