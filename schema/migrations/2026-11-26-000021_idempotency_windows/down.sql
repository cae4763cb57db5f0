DROP TABLE past_idempotency_keys;
