-- Where an attempt's time went, in what is short enough to be kept with every attempt: each is null where it did not happen.
-- And the answers that led elsewhere: [{"status", "url"}]. Columns without a default are added without touching a row.
ALTER TABLE delivery_attempts
    ADD COLUMN queue_ms int,
    ADD COLUMN dns_us int,
    ADD COLUMN connect_us int,
    ADD COLUMN tls_us int,
    ADD COLUMN first_byte_us int,
    ADD COLUMN redirects jsonb;
-- Whether answers that lead elsewhere are followed.
ALTER TABLE endpoints ADD COLUMN follow_redirects boolean NOT NULL DEFAULT false;
