-- What a subscription asks of every event, whatever its type: {"headers", "body", "query", "path"}, as the caller wrote it.
ALTER TABLE subscriptions ADD COLUMN filter jsonb;
-- What the subscription's function made of the event's data; null where there is none, and the data itself is sent.
ALTER TABLE event_deliveries ADD COLUMN payload bytea;
-- A filter is also looked for without its subscription, to tell a wrong one from none.
CREATE UNIQUE INDEX subscription_filters_id ON subscription_filters (project_id, id);
