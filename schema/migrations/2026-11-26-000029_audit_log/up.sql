-- Who changed what. Rows outlive what they are about: nothing refers to another table.
CREATE TABLE audit_log (
    -- Its time is that of the request.
    id uuid PRIMARY KEY,
    organisation_id uuid,
    project_id uuid,
    -- user, project_key, portal_link, tool or nobody.
    actor_kind text NOT NULL,
    -- Of the user, the key or the link.
    actor_id uuid,
    -- The key that a user came with.
    api_key_id uuid,
    action text NOT NULL,
    resource_kind text NOT NULL,
    resource_id uuid,
    -- False from before the change until what came of it is noted here.
    is_confirmed boolean NOT NULL DEFAULT false,
    -- Field -> {before, after}, or {is_secret}.
    changes jsonb NOT NULL DEFAULT '{}',
    request_id text NOT NULL DEFAULT '',
    source_address text NOT NULL DEFAULT '',
    user_agent text NOT NULL DEFAULT ''
);
CREATE INDEX audit_log_of_project ON audit_log (project_id, id) WHERE project_id IS NOT NULL;
CREATE INDEX audit_log_of_organisation ON audit_log (organisation_id, id) WHERE organisation_id IS NOT NULL;
