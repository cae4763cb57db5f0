-- People sign in with a password and get a session; what they may do follows from their memberships.

ALTER TABLE organisations ADD COLUMN owner_id uuid REFERENCES users;
UPDATE organisations AS o SET owner_id = (
    SELECT m.user_id FROM organisation_members AS m
    WHERE m.organisation_id = o.id AND m.role IN ('instance_admin', 'organisation_admin')
    ORDER BY m.user_id LIMIT 1
);

-- A session lives as long as its newest refresh token. Each refresh is the next generation, and an older one that comes
-- back ends the session: it was copied.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    generation integer NOT NULL DEFAULT 1,
    rotated_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- What a mail's link proves: used once, and only while the user still has the address that it was sent to.
CREATE TABLE account_tokens (
    hash bytea PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('verify_email', 'reset_password')),
    user_id uuid NOT NULL REFERENCES users,
    email text NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX account_tokens_user ON account_tokens (user_id, purpose);
CREATE INDEX account_tokens_expiry ON account_tokens (expires_at);

CREATE TABLE organisation_invites (
    organisation_id uuid NOT NULL REFERENCES organisations,
    id uuid NOT NULL,
    invitee_email text NOT NULL CHECK (invitee_email <> ''),
    role text NOT NULL CHECK (role IN ('organisation_admin', 'billing_admin', 'project_admin', 'project_viewer')),
    token_hash bytea NOT NULL UNIQUE,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'accepted', 'declined', 'cancelled')),
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organisation_id, id)
);
CREATE UNIQUE INDEX organisation_invites_pending ON organisation_invites (organisation_id, lower(invitee_email)) WHERE status = 'pending';

-- Random bytes that all instances of a deployment share, made by the first that needs them.
CREATE TABLE instance_secrets (
    name text PRIMARY KEY,
    value bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- How often something was tried within a window, by a hash of who tried what.
CREATE TABLE attempt_counters (
    subject bytea PRIMARY KEY,
    attempts integer NOT NULL,
    window_ends_at timestamptz NOT NULL
);
CREATE INDEX attempt_counters_expiry ON attempt_counters (window_ends_at);

-- How many events a project had on a day that is over; kept when the day's events expire.
CREATE TABLE event_day_counts (
    project_id uuid NOT NULL,
    day date NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (project_id, day)
);
