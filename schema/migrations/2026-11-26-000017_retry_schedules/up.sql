-- Waits of a schedule of one's own, in seconds, and a time after which a delivery is given up. What is there already satisfies
-- the wider check, so it is not read for it.
ALTER TABLE event_deliveries
    ADD COLUMN retry_schedule int[],
    ADD COLUMN give_up_at timestamptz,
    DROP CONSTRAINT event_deliveries_strategy_check,
    ADD CONSTRAINT event_deliveries_strategy_check CHECK (strategy IN ('linear', 'exponential', 'custom')) NOT VALID;
