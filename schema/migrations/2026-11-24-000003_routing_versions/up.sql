-- Grows with every change of what decides who receives a project's events and how. Workers keep what they have read
-- together with the version, and PostgreSQL itself compares: what was committed before an event was accepted is never
-- missed, and what has not changed is not read again. No row means version 0.
CREATE TABLE routing_versions (
    project_id uuid PRIMARY KEY,
    version bigint NOT NULL
) WITH (fillfactor = 50);

-- One step per statement and project, however many rows it changed.
CREATE FUNCTION grow_routing_versions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'projects' THEN
        INSERT INTO routing_versions AS v SELECT DISTINCT id, 1 FROM changed ORDER BY 1
        ON CONFLICT (project_id) DO UPDATE SET version = v.version + 1;
    ELSE
        INSERT INTO routing_versions AS v SELECT DISTINCT project_id, 1 FROM changed ORDER BY 1
        ON CONFLICT (project_id) DO UPDATE SET version = v.version + 1;
    END IF;
    RETURN NULL;
END $$;

DO $$
DECLARE
    watched text;
BEGIN
    FOREACH watched IN ARRAY ARRAY['projects', 'endpoints', 'endpoint_secrets', 'subscriptions', 'subscription_filters'] LOOP
        EXECUTE format('CREATE TRIGGER routing_inserted AFTER INSERT ON %I REFERENCING NEW TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION grow_routing_versions()', watched);
        EXECUTE format('CREATE TRIGGER routing_updated AFTER UPDATE ON %I REFERENCING NEW TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION grow_routing_versions()', watched);
        EXECUTE format('CREATE TRIGGER routing_deleted AFTER DELETE ON %I REFERENCING OLD TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION grow_routing_versions()', watched);
    END LOOP;
END $$;
