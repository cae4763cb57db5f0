DROP INDEX subscriptions_of_endpoint;
DROP INDEX endpoints_url;
DROP INDEX events_stored;
DROP TABLE event_search_mark, event_search;
DROP INDEX events_broker_message;
DROP INDEX events_duplicate;
DROP INDEX events_source;
DROP INDEX event_deliveries_failed;
DROP TABLE batch_runs;
