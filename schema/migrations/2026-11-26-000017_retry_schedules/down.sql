UPDATE event_deliveries SET strategy = 'linear' WHERE strategy = 'custom';
ALTER TABLE event_deliveries
    DROP COLUMN retry_schedule,
    DROP COLUMN give_up_at,
    DROP CONSTRAINT event_deliveries_strategy_check,
    ADD CONSTRAINT event_deliveries_strategy_check CHECK (strategy IN ('linear', 'exponential'));
