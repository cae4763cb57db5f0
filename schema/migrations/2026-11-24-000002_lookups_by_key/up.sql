-- A delivery's id carries its event's time, so the deliveries of an event are found through the primary key; an index for
-- them cost every delivery a write.
DROP INDEX event_deliveries_event;
-- While a partition is empty the planner cannot tell two indexes that hold the id apart, and keeps for ever a plan that
-- reads all of the wrong one. The condition always holds, but only a query by endpoint proves it to the planner, so that
-- look-ups by id are left to the primary key.
DROP INDEX event_deliveries_endpoint;
CREATE INDEX event_deliveries_endpoint ON event_deliveries (endpoint_id, id) WHERE endpoint_id IS NOT NULL;
DROP INDEX delivery_attempts_delivery;
CREATE INDEX delivery_attempts_delivery ON delivery_attempts (event_delivery_id);
