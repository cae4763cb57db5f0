DROP INDEX event_deliveries_type;
DROP INDEX event_deliveries_subscription;
