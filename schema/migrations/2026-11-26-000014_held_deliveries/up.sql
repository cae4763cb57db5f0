-- What holds a delivery back until `next_send_time`, other than its retry policy: `rate_limit`, `circuit_breaker` or, for what
-- waits in a line, `ordering`. Of no meaning in a final state.
ALTER TABLE event_deliveries ADD COLUMN held_by text;
