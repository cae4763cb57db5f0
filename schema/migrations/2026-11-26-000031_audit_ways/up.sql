-- By which way a change was made: api, dashboard or tool. Who knows nothing of it writes what came by the API.
ALTER TABLE audit_log ADD COLUMN way text NOT NULL DEFAULT 'api';
UPDATE audit_log SET way = 'tool' WHERE actor_kind = 'tool';
