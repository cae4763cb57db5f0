DROP INDEX endpoints_owner;
CREATE INDEX endpoints_owner ON endpoints (project_id, owner_id) WHERE deleted_at IS NULL AND owner_id <> '';
DROP TABLE portal_keys, portal_links;
