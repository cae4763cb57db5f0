ALTER TABLE sources DROP COLUMN crc_verified_at;
