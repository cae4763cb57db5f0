-- Lists show what lives, newest or oldest first. What was deleted, revoked or answered stays in its table, and was read again
-- by every list that passed it.
CREATE INDEX endpoints_live ON endpoints (project_id, id) WHERE deleted_at IS NULL;
CREATE INDEX endpoints_live_owner ON endpoints (project_id, owner_id, id) WHERE deleted_at IS NULL AND owner_id <> '';
CREATE INDEX subscriptions_live ON subscriptions (project_id, id) WHERE deleted_at IS NULL;
CREATE INDEX sources_live ON sources (project_id, id) WHERE deleted_at IS NULL;
CREATE INDEX portal_links_live ON portal_links (project_id, id) WHERE revoked_at IS NULL;
CREATE INDEX organisation_invites_live ON organisation_invites (organisation_id, id) WHERE status = 'pending';

-- What a list is narrowed by, in the order in which it is shown: a page is read, not everything that would match.
DROP INDEX subscriptions_endpoint;
CREATE INDEX subscriptions_endpoint ON subscriptions (project_id, endpoint_id, id) WHERE deleted_at IS NULL;
CREATE INDEX sources_kind ON sources (project_id, kind, id) WHERE deleted_at IS NULL;
CREATE INDEX sources_provider ON sources (project_id, provider, id) WHERE deleted_at IS NULL;
CREATE INDEX portal_links_owner ON portal_links (project_id, owner_id, id) WHERE revoked_at IS NULL;
CREATE INDEX portal_links_endpoints ON portal_links USING gin (endpoint_ids) WHERE revoked_at IS NULL AND owner_id = '';
DROP INDEX api_keys_project;
CREATE INDEX api_keys_project ON api_keys (project_id, id) WHERE project_id IS NOT NULL AND revoked_at IS NULL;
DROP INDEX api_keys_user;
CREATE INDEX api_keys_user ON api_keys (user_id, id) WHERE user_id IS NOT NULL AND revoked_at IS NULL;
DROP INDEX organisation_members_user;
CREATE INDEX organisation_members_user ON organisation_members (user_id, organisation_id);

-- Two projects may use the same key, and read the same message: what the one has of it is not read for the other.
DROP INDEX events_duplicate;
CREATE INDEX events_duplicate ON events (idempotency_key, project_id, id) WHERE is_duplicate;
DROP INDEX events_broker_message;
CREATE INDEX events_broker_message ON events ((headers -> 'x-broker-message-id' ->> 0), project_id, id) WHERE headers ? 'x-broker-message-id';
