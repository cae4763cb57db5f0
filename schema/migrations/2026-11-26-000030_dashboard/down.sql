DROP TABLE test_requests;
-- They have nothing else by which they could go on.
DELETE FROM sessions WHERE cookie_hash IS NOT NULL;
ALTER TABLE sessions DROP COLUMN cookie_hash;
