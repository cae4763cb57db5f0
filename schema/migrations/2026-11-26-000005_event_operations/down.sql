DROP INDEX endpoints_url;
DROP INDEX events_broker_message;
DROP INDEX events_duplicate;
DROP INDEX events_source;
DROP INDEX event_deliveries_failed;
DROP TABLE batch_runs;
