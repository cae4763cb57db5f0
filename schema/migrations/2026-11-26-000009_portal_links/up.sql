-- A link lets a customer see and manage its own endpoints: all of one owner's, or without an owner exactly those listed.
CREATE TABLE portal_links (
    project_id uuid NOT NULL REFERENCES projects,
    id uuid NOT NULL,
    name text NOT NULL CHECK (name <> ''),
    owner_id text NOT NULL DEFAULT '',
    endpoint_ids uuid[] NOT NULL DEFAULT '{}',
    can_manage_endpoint boolean NOT NULL DEFAULT false,
    auth_type text NOT NULL CHECK (auth_type IN ('static_token', 'refresh_token')),
    -- Every read of a link shows its token, so it is kept as it is; it is looked up by its hash.
    token text NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    PRIMARY KEY (project_id, id),
    -- A link that opens nothing is a mistake, and must never be taken for one that opens everything.
    CHECK (owner_id <> '' OR cardinality(endpoint_ids) > 0)
);

-- A key is `PRT.<mask>.<secret>`; only the mask and a hash of the whole key are kept.
CREATE TABLE portal_keys (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL,
    portal_link_id uuid NOT NULL,
    mask text NOT NULL UNIQUE,
    hash bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (project_id, portal_link_id) REFERENCES portal_links
);
CREATE INDEX portal_keys_link ON portal_keys (project_id, portal_link_id, expires_at);

-- What an owner deleted stays its own: its deliveries can still be looked at.
DROP INDEX endpoints_owner;
CREATE INDEX endpoints_owner ON endpoints (project_id, owner_id, id) WHERE owner_id <> '';
