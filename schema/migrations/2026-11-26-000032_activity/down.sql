DROP TABLE activity_mark, activity_stale, activity_deliveries, activity_events;
DROP FUNCTION activity_window;
