DROP TABLE schedule_ticks, leases, delivery_attempts, event_deliveries, idempotency_keys, events, subscription_filters,
    subscriptions, sources, endpoint_secrets, endpoints, api_keys, projects, organisation_members, users, organisations;
