ALTER TABLE endpoints DROP COLUMN follow_redirects;
ALTER TABLE delivery_attempts
    DROP COLUMN queue_ms,
    DROP COLUMN dns_us,
    DROP COLUMN connect_us,
    DROP COLUMN tls_us,
    DROP COLUMN first_byte_us,
    DROP COLUMN redirects;
