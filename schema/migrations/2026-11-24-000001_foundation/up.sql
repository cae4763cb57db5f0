-- Ids are ULIDs stored as uuid: 16 bytes, sorted by time, and the first 48 bits are the creation instant in
-- milliseconds. Every hot key begins with the project, so that a deployment can be sharded on it.

CREATE TABLE organisations (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);

CREATE TABLE users (
    id uuid PRIMARY KEY,
    first_name text NOT NULL DEFAULT '',
    last_name text NOT NULL DEFAULT '',
    email text NOT NULL CHECK (email <> ''),
    password_hash text,
    is_email_verified boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);
CREATE UNIQUE INDEX users_email ON users (lower(email)) WHERE deleted_at IS NULL;

CREATE TABLE organisation_members (
    organisation_id uuid NOT NULL REFERENCES organisations,
    user_id uuid NOT NULL REFERENCES users,
    role text NOT NULL CHECK (role IN ('instance_admin', 'organisation_admin', 'billing_admin', 'project_admin', 'project_viewer')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organisation_id, user_id)
);
CREATE INDEX organisation_members_user ON organisation_members (user_id);

CREATE TABLE projects (
    id uuid PRIMARY KEY,
    organisation_id uuid NOT NULL REFERENCES organisations,
    name text NOT NULL CHECK (name <> ''),
    kind text NOT NULL CHECK (kind IN ('outgoing', 'incoming')),
    logo_url text NOT NULL DEFAULT '',
    config jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);
CREATE UNIQUE INDEX projects_name ON projects (organisation_id, name) WHERE deleted_at IS NULL;

-- A key is `CO.<mask>.<secret>`; only the mask and a hash of the whole key are kept.
CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    mask text NOT NULL UNIQUE,
    hash bytea NOT NULL,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('instance_admin', 'organisation_admin', 'billing_admin', 'project_admin', 'project_viewer', 'api')),
    project_id uuid REFERENCES projects,
    user_id uuid REFERENCES users,
    expires_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- A project key belongs to a project, a personal key to a user; never to both.
    CHECK ((project_id IS NULL) <> (user_id IS NULL))
);
CREATE INDEX api_keys_project ON api_keys (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX api_keys_user ON api_keys (user_id) WHERE user_id IS NOT NULL;

CREATE TABLE endpoints (
    project_id uuid NOT NULL REFERENCES projects,
    id uuid NOT NULL,
    name text NOT NULL CHECK (name <> ''),
    url text NOT NULL CHECK (url <> ''),
    description text NOT NULL DEFAULT '',
    owner_id text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'paused')),
    advanced_signatures boolean NOT NULL,
    content_type text NOT NULL DEFAULT 'application/json' CHECK (content_type IN ('application/json', 'application/x-www-form-urlencoded')),
    http_timeout_seconds integer NOT NULL DEFAULT 0 CHECK (http_timeout_seconds >= 0),
    rate_limit integer NOT NULL DEFAULT 0 CHECK (rate_limit >= 0),
    rate_limit_duration_seconds integer NOT NULL DEFAULT 0 CHECK (rate_limit_duration_seconds >= 0),
    authentication jsonb,
    support_email text NOT NULL DEFAULT '',
    slack_webhook_url text NOT NULL DEFAULT '',
    teams_webhook_url text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX endpoints_owner ON endpoints (project_id, owner_id) WHERE deleted_at IS NULL AND owner_id <> '';

-- Several secrets of one endpoint live side by side while it rotates.
CREATE TABLE endpoint_secrets (
    project_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    id uuid NOT NULL,
    value text NOT NULL CHECK (value <> ''),
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    PRIMARY KEY (project_id, endpoint_id, id),
    FOREIGN KEY (project_id, endpoint_id) REFERENCES endpoints
);

CREATE TABLE sources (
    project_id uuid NOT NULL REFERENCES projects,
    id uuid NOT NULL,
    mask_id text NOT NULL UNIQUE,
    name text NOT NULL CHECK (name <> ''),
    kind text NOT NULL CHECK (kind IN ('http', 'rest_api', 'pub_sub', 'db_change_stream')),
    provider text NOT NULL DEFAULT '' CHECK (provider IN ('', 'github', 'twitter', 'shopify')),
    is_disabled boolean NOT NULL DEFAULT false,
    verifier jsonb,
    custom_response jsonb,
    forward_headers text[] NOT NULL DEFAULT '{}',
    pub_sub jsonb,
    idempotency_keys text[] NOT NULL DEFAULT '{}',
    event_type_location text NOT NULL DEFAULT '',
    body_function text,
    header_function text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    PRIMARY KEY (project_id, id)
);

CREATE TABLE subscriptions (
    project_id uuid NOT NULL REFERENCES projects,
    id uuid NOT NULL,
    name text NOT NULL CHECK (name <> ''),
    endpoint_id uuid NOT NULL,
    source_id uuid,
    -- Exact event types, or '*' for every type.
    event_types text[] NOT NULL DEFAULT '{*}' CHECK (cardinality(event_types) > 0),
    delivery_mode text NOT NULL DEFAULT 'at_least_once' CHECK (delivery_mode IN ('at_least_once', 'at_most_once')),
    function text,
    alert_config jsonb,
    retry_config jsonb,
    rate_limit_config jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, endpoint_id) REFERENCES endpoints
);
CREATE INDEX subscriptions_endpoint ON subscriptions (project_id, endpoint_id) WHERE deleted_at IS NULL;
CREATE INDEX subscriptions_source ON subscriptions (project_id, source_id) WHERE deleted_at IS NULL AND source_id IS NOT NULL;

-- Refines a subscription for one event type; no row, or only empty scopes, lets every event of the type through.
CREATE TABLE subscription_filters (
    project_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    id uuid NOT NULL,
    event_type text NOT NULL CHECK (event_type <> ''),
    enabled_at timestamptz,
    headers jsonb NOT NULL DEFAULT '{}',
    body jsonb NOT NULL DEFAULT '{}',
    query jsonb NOT NULL DEFAULT '{}',
    path jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, subscription_id, id),
    UNIQUE (project_id, subscription_id, event_type),
    FOREIGN KEY (project_id, subscription_id) REFERENCES subscriptions
);

-- The three ledger tables are cut by day through their ids (an id is a time), and expire by dropping partitions.
-- The default partitions only catch a row whose day has no partition yet, so that nothing is refused.

CREATE TABLE events (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    event_type text NOT NULL,
    target_kind text NOT NULL CHECK (target_kind IN ('single', 'fanout', 'broadcast', 'dynamic', 'source')),
    -- What the kind points at: an endpoint id, an owner id, a URL, a source id; empty for a broadcast.
    target text NOT NULL,
    source_id uuid,
    -- Header names to lists of values, as they are forwarded.
    headers jsonb NOT NULL DEFAULT '{}',
    -- The exact bytes of the caller's data.
    payload bytea NOT NULL,
    idempotency_key text NOT NULL DEFAULT '',
    is_duplicate boolean NOT NULL DEFAULT false,
    url_query_params text NOT NULL DEFAULT '',
    url_path text NOT NULL DEFAULT '',
    endpoint_ids uuid[] NOT NULL DEFAULT '{}',
    status text NOT NULL CHECK (status IN ('Pending', 'Processing', 'Success', 'Failure', 'Retry')),
    failure_reason text,
    acknowledged_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
) PARTITION BY RANGE (id);
CREATE TABLE events_default PARTITION OF events DEFAULT;

-- The first event of a project with a key owns it; later ones are its duplicates.
CREATE TABLE idempotency_keys (
    project_id uuid NOT NULL,
    idempotency_key text NOT NULL,
    event_id uuid NOT NULL,
    PRIMARY KEY (project_id, idempotency_key)
);

CREATE TABLE event_deliveries (
    project_id uuid NOT NULL,
    -- Carries the event's time, so that a delivery expires with its event.
    id uuid NOT NULL,
    event_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    event_type text NOT NULL,
    status text NOT NULL CHECK (status IN ('Scheduled', 'Processing', 'Retry', 'Success', 'Failure', 'Discarded')),
    delivery_mode text NOT NULL CHECK (delivery_mode IN ('at_least_once', 'at_most_once')),
    target_url text,
    strategy text NOT NULL CHECK (strategy IN ('linear', 'exponential')),
    retry_interval_seconds integer NOT NULL CHECK (retry_interval_seconds >= 0),
    retry_limit integer NOT NULL CHECK (retry_limit >= 0),
    attempt_count integer NOT NULL DEFAULT 0,
    -- When the next attempt is due; of no meaning in a final state.
    next_send_time timestamptz NOT NULL,
    -- From acceptance to the attempt that succeeded.
    latency_seconds double precision,
    description text NOT NULL DEFAULT '',
    acknowledged_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
) PARTITION BY RANGE (id);
CREATE TABLE event_deliveries_default PARTITION OF event_deliveries DEFAULT;
CREATE INDEX event_deliveries_event ON event_deliveries (project_id, event_id);
CREATE INDEX event_deliveries_endpoint ON event_deliveries (project_id, endpoint_id, id);
-- What the sweep reads: unfinished deliveries by the time they are due.
CREATE INDEX event_deliveries_due ON event_deliveries (next_send_time) WHERE status IN ('Scheduled', 'Processing', 'Retry');

CREATE TABLE delivery_attempts (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    event_delivery_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    url text NOT NULL,
    method text NOT NULL,
    is_success boolean NOT NULL,
    status_code integer,
    error text,
    -- dns, connect, tls, timeout, refused_by_egress, response, …: see docs.
    error_class text,
    request_headers jsonb NOT NULL DEFAULT '{}',
    response_headers jsonb NOT NULL DEFAULT '{}',
    response_body bytea,
    ip_address text,
    requested_at timestamptz NOT NULL,
    responded_at timestamptz,
    duration_ms integer NOT NULL,
    PRIMARY KEY (project_id, id)
) PARTITION BY RANGE (id);
CREATE TABLE delivery_attempts_default PARTITION OF delivery_attempts DEFAULT;
CREATE INDEX delivery_attempts_delivery ON delivery_attempts (project_id, event_delivery_id);

-- One row per singleton role. The token grows with every change of holder: work of an old holder is recognised.
CREATE TABLE leases (
    name text PRIMARY KEY,
    holder text NOT NULL,
    fencing_token bigint NOT NULL,
    expires_at timestamptz NOT NULL
);

-- Every tick of every schedule, noted before its job is pushed. One without `enqueued_at` was interrupted in between, and
-- the next leader pushes it; the job's id holds the tick, so it lives once.
CREATE TABLE schedule_ticks (
    name text NOT NULL,
    tick_at timestamptz NOT NULL,
    fencing_token bigint NOT NULL,
    enqueued_at timestamptz,
    PRIMARY KEY (name, tick_at)
);
