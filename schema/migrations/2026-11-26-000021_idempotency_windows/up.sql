-- An original whose key is free again leaves idempotency_keys to the next one and is found here, until it expires.
CREATE TABLE past_idempotency_keys (
    project_id uuid NOT NULL,
    idempotency_key text NOT NULL,
    event_id uuid NOT NULL,
    PRIMARY KEY (project_id, idempotency_key, event_id)
);
