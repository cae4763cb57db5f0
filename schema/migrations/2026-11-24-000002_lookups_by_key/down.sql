DROP INDEX delivery_attempts_delivery;
CREATE INDEX delivery_attempts_delivery ON delivery_attempts (project_id, event_delivery_id);
DROP INDEX event_deliveries_endpoint;
CREATE INDEX event_deliveries_endpoint ON event_deliveries (project_id, endpoint_id, id);
CREATE INDEX event_deliveries_event ON event_deliveries (project_id, event_id);
