-- Work on everything that a query matches, in slices: a run goes on after the last row that it looked at.
CREATE TABLE batch_runs (
    project_id uuid NOT NULL REFERENCES projects,
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('retry', 'replay')),
    filter jsonb NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
    -- The last delivery or event that was looked at.
    reached uuid,
    done bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
);
-- One retry at a time in a project: two would give the same deliveries two attempts.
CREATE UNIQUE INDEX batch_runs_retry ON batch_runs (project_id) WHERE kind = 'retry' AND status IN ('pending', 'processing');
CREATE INDEX batch_runs_unfinished ON batch_runs (updated_at) WHERE status IN ('pending', 'processing');

-- Every condition below leaves out what the hot path writes most: it costs events of the API and deliveries that succeed
-- nothing but the test of the condition. The first columns are such that no look-up by key can mistake them for its index.
CREATE INDEX event_deliveries_failed ON event_deliveries (project_id, id) WHERE status IN ('Failure', 'Discarded');
CREATE INDEX events_source ON events (source_id, id) WHERE source_id IS NOT NULL;
CREATE INDEX events_duplicate ON events (idempotency_key) WHERE is_duplicate;
CREATE INDEX events_broker_message ON events ((headers -> 'x-broker-message-id' ->> 0)) WHERE headers ? 'x-broker-message-id';

-- What searches read, filled behind the hot path: {"project", "body", "headers", "grams"}, so that one index answers for all
-- of them within a project. Cut by day as the events are.
CREATE TABLE event_search (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE TABLE event_search_default PARTITION OF event_search DEFAULT;
CREATE INDEX event_search_document ON event_search USING gin (document jsonb_path_ops);

-- How far they are filled, in the order in which events were stored.
CREATE TABLE event_search_mark (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    stored_at timestamptz NOT NULL,
    id uuid NOT NULL
);
INSERT INTO event_search_mark (stored_at, id) VALUES (now() - interval '7 days', '00000000-0000-0000-0000-000000000000');
-- Its entries are for ranges of pages, not for rows: an insert hardly notices it.
CREATE INDEX events_stored ON events USING brin (updated_at) WITH (autosummarize = on);

-- Deleted ones too: whether an endpoint ever had a subscription.
CREATE INDEX subscriptions_of_endpoint ON subscriptions (project_id, endpoint_id);
CREATE INDEX endpoints_url ON endpoints (project_id, url) WHERE deleted_at IS NULL;
