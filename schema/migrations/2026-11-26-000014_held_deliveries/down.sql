ALTER TABLE event_deliveries DROP COLUMN held_by;
