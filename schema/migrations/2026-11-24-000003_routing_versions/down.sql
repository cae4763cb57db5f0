DO $$
DECLARE
    watched text;
BEGIN
    FOREACH watched IN ARRAY ARRAY['projects', 'endpoints', 'endpoint_secrets', 'subscriptions', 'subscription_filters'] LOOP
        EXECUTE format('DROP TRIGGER routing_inserted ON %I', watched);
        EXECUTE format('DROP TRIGGER routing_updated ON %I', watched);
        EXECUTE format('DROP TRIGGER routing_deleted ON %I', watched);
    END LOOP;
END $$;
DROP FUNCTION grow_routing_versions;
DROP TABLE routing_versions;
