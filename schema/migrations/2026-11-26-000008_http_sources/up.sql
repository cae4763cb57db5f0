-- When Twitter last asked the source to prove that it knows the secret; null: never, and for every other provider.
ALTER TABLE sources ADD COLUMN crc_verified_at timestamptz;
