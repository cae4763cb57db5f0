-- Endpoints that fail: whose breaker has opened, or that were disabled, until a delivery to them succeeds again. A row is what
-- makes people hear of it once. `told_at` is when they did; null while they have not.
CREATE TABLE endpoint_health (
    project_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    failing_since timestamptz NOT NULL DEFAULT now(),
    told_at timestamptz,
    PRIMARY KEY (project_id, endpoint_id)
);
