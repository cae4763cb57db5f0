ALTER TABLE endpoints DROP COLUMN ordering;
DROP INDEX event_deliveries_line;
ALTER TABLE event_deliveries DROP COLUMN ordering_key, DROP COLUMN line_place;
DROP SEQUENCE delivery_line_places;
