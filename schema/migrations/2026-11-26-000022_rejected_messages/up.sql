-- Messages of brokers that will never be events as they are. Their number and their age are bounded by settings.
CREATE TABLE rejected_messages (
    project_id uuid NOT NULL REFERENCES projects,
    -- Its time is that of the rejection.
    id uuid NOT NULL,
    source_id uuid NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    -- The body, or its beginning where payload_bytes is more.
    payload bytea NOT NULL,
    payload_bytes bigint NOT NULL,
    is_whole boolean NOT NULL GENERATED ALWAYS AS (octet_length(payload) = payload_bytes) STORED,
    metadata jsonb NOT NULL DEFAULT '{}',
    -- How often it was read again in vain.
    redrive_count integer NOT NULL DEFAULT 0,
    -- Since when it waits to be read again.
    redrive_requested_at timestamptz,
    -- Until when an instance is at it.
    redrive_leased_until timestamptz,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX rejected_messages_of_source ON rejected_messages (project_id, source_id, id);
-- What the purge reads: those of all projects by age.
CREATE INDEX rejected_messages_id ON rejected_messages (id);
-- What ingest reads: those that wait, the oldest request first.
CREATE INDEX rejected_messages_redriven ON rejected_messages (redrive_requested_at, id) WHERE redrive_requested_at IS NOT NULL;
