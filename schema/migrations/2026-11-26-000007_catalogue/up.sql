-- The catalogue of a project's event types: what its subscriptions name, and what it describes itself. It decides nothing:
-- an event of a type that is not in it is accepted and routed like any other.
CREATE TABLE event_types (
    project_id uuid NOT NULL REFERENCES projects,
    id uuid NOT NULL,
    name text NOT NULL CHECK (name <> ''),
    category text NOT NULL DEFAULT '',
    description text NOT NULL DEFAULT '',
    json_schema jsonb,
    deprecated_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, name)
);

-- An id as the rest of the system makes them: the time in milliseconds, then 80 random bits.
CREATE FUNCTION new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
        || right(replace(gen_random_uuid()::text, '-', ''), 20))::uuid
$$;

-- Every project begins with the type that stands for all, whoever makes it.
CREATE FUNCTION catalogue_project() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event_types (project_id, id, name, json_schema) SELECT id, new_id(), '*', '{}' FROM changed
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER catalogued AFTER INSERT ON projects REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION catalogue_project();

-- What a subscription names is in the catalogue. In the order of names, so that two at once never wait for each other.
CREATE FUNCTION catalogue_subscription() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event_types (project_id, id, name)
    SELECT project_id, new_id(), name
    FROM (SELECT DISTINCT c.project_id, t.name FROM changed c, unnest(c.event_types) AS t (name) WHERE t.name <> '') named
    WHERE NOT EXISTS (SELECT FROM event_types e WHERE e.project_id = named.project_id AND e.name = named.name)
    ORDER BY project_id, name
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER catalogued_inserted AFTER INSERT ON subscriptions REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION catalogue_subscription();
CREATE TRIGGER catalogued_updated AFTER UPDATE ON subscriptions REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION catalogue_subscription();

INSERT INTO event_types (project_id, id, name, json_schema) SELECT id, new_id(), '*', '{}' FROM projects;
INSERT INTO event_types (project_id, id, name)
SELECT project_id, new_id(), name
FROM (SELECT DISTINCT s.project_id, t.name FROM subscriptions s, unnest(s.event_types) AS t (name)
      WHERE s.deleted_at IS NULL AND t.name <> '') named
ON CONFLICT DO NOTHING;

-- Clients make endpoints with -1, which means no limit as 0 does, and read it back.
ALTER TABLE endpoints DROP CONSTRAINT endpoints_rate_limit_check;
ALTER TABLE endpoints ADD CONSTRAINT endpoints_rate_limit_check CHECK (rate_limit >= -1);

-- What happened to a project itself, on its way to the URL that its settings name.
CREATE TABLE meta_events (
    project_id uuid NOT NULL REFERENCES projects,
    id uuid NOT NULL,
    event_type text NOT NULL,
    -- The exact bytes of the request's body.
    payload bytea NOT NULL,
    status text NOT NULL CHECK (status IN ('Scheduled', 'Processing', 'Retry', 'Success', 'Failure', 'Discarded')),
    strategy text NOT NULL CHECK (strategy IN ('linear', 'exponential')),
    retry_interval_seconds integer NOT NULL CHECK (retry_interval_seconds >= 0),
    retry_limit integer NOT NULL CHECK (retry_limit >= 0),
    attempt_count integer NOT NULL DEFAULT 0,
    next_send_time timestamptz NOT NULL,
    -- The newest request with its answer; the others are not kept.
    attempt jsonb,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
);
-- What the purge reads: those of all projects by age.
CREATE INDEX meta_events_id ON meta_events (id);
-- What the sweep reads: unfinished ones by the time they are due.
CREATE INDEX meta_events_due ON meta_events (next_send_time) WHERE status IN ('Scheduled', 'Retry');
