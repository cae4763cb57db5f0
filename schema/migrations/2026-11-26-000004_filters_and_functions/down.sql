DROP INDEX subscription_filters_id;
ALTER TABLE event_deliveries DROP COLUMN payload;
ALTER TABLE subscriptions DROP COLUMN filter;
