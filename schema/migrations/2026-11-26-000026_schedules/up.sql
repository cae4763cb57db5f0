-- The schedules as the active scheduler last announced them, and what operators said of them since.
CREATE TABLE schedules (
    name text PRIMARY KEY,
    cron text NOT NULL,
    -- Missed ticks that are made up for, the latest first.
    catch_up_max integer NOT NULL CHECK (catch_up_max > 0),
    jitter_seconds integer NOT NULL CHECK (jitter_seconds >= 0),
    -- What its jobs are told, as far as settings decide it.
    settings jsonb NOT NULL,
    next_tick_at timestamptz,
    announced_by text NOT NULL,
    announced_at timestamptz NOT NULL DEFAULT now(),
    -- Since when it is none of the active scheduler's.
    retired_at timestamptz,
    paused_at timestamptz,
    paused_by text,
    -- What was due before is not made up for.
    resumed_at timestamptz,
    resumed_by text,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A tick that was asked for has nobody's term, and what became of a tick's job is told by who worked on it.
ALTER TABLE schedule_ticks
    ADD COLUMN requested_by text,
    ADD COLUMN worker text,
    ADD COLUMN tries integer NOT NULL DEFAULT 0,
    ADD COLUMN started_at timestamptz,
    ADD COLUMN finished_at timestamptz,
    ADD COLUMN result jsonb,
    ADD COLUMN error text;
-- What a leader looks at once a second.
CREATE INDEX schedule_ticks_interrupted ON schedule_ticks (name, tick_at) WHERE enqueued_at IS NULL;
