-- How many events came in and what became of their deliveries, in windows of five minutes by the time in their ids: charts of
-- days need not read the rows of days. A job counts a window anew when something in it has changed.
CREATE FUNCTION activity_window(id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_timestamp((('x' || left(replace(id::text, '-', ''), 12))::bit(48)::int8 / 300000) * 300)
$$;

CREATE TABLE activity_events (
    project_id uuid NOT NULL,
    at timestamptz NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (project_id, at)
);
CREATE INDEX activity_events_at ON activity_events (at);

CREATE TABLE activity_deliveries (
    project_id uuid NOT NULL,
    at timestamptz NOT NULL,
    endpoint_id uuid NOT NULL,
    -- Scheduled and Processing; the others are named like their states.
    waiting bigint NOT NULL,
    retry bigint NOT NULL,
    success bigint NOT NULL,
    discarded bigint NOT NULL,
    failure bigint NOT NULL,
    PRIMARY KEY (project_id, at, endpoint_id)
);
CREATE INDEX activity_deliveries_at ON activity_deliveries (at);
CREATE INDEX activity_deliveries_endpoint ON activity_deliveries (endpoint_id, at);
CREATE INDEX activity_deliveries_open ON activity_deliveries (project_id, at) WHERE waiting + retry > 0;

-- Windows that are to be counted.
CREATE TABLE activity_stale (
    project_id uuid NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (project_id, at)
);

-- Up to when what was stored is counted.
CREATE TABLE activity_mark (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    stored_at timestamptz NOT NULL
);
INSERT INTO activity_mark (stored_at) VALUES (now() - interval '8 days');
