DROP INDEX events_stored;
CREATE INDEX events_stored ON events USING brin (updated_at) WITH (autosummarize = on);
