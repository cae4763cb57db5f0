-- Deliveries to one endpoint whose events share an ordering key stand in a line: one is sent when those before it have ended.
-- Their places are given in the order in which events are stored. The index has only what is unfinished.
CREATE SEQUENCE delivery_line_places AS bigint;
ALTER TABLE event_deliveries ADD COLUMN ordering_key text, ADD COLUMN line_place bigint;
CREATE INDEX event_deliveries_line ON event_deliveries (endpoint_id, ordering_key, line_place)
    WHERE ordering_key IS NOT NULL AND status IN ('Scheduled', 'Processing', 'Retry');
-- What becomes of the line when the first keeps failing: {"failing_head": "block" | "skip" | "park", "attempts"}.
ALTER TABLE endpoints ADD COLUMN ordering jsonb;
