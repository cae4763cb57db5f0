DROP TABLE event_day_counts;
DROP TABLE attempt_counters;
DROP TABLE instance_secrets;
DROP TABLE organisation_invites;
DROP TABLE account_tokens;
DROP TABLE sessions;
ALTER TABLE organisations DROP COLUMN owner_id;
