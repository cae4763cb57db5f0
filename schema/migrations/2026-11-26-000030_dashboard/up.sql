-- Of a browser's session the hash of its cookie; NULL for those that go on by refresh tokens.
ALTER TABLE sessions ADD COLUMN cookie_hash bytea UNIQUE;

-- What a project's test receiver got last.
CREATE TABLE test_requests (
    project_id uuid NOT NULL REFERENCES projects,
    -- Its time is that of the request.
    id uuid NOT NULL,
    method text NOT NULL,
    headers jsonb NOT NULL,
    -- The body, or its beginning where body_bytes is more.
    body bytea NOT NULL,
    body_bytes bigint NOT NULL,
    PRIMARY KEY (project_id, id)
);
