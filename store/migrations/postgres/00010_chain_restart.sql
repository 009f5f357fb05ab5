-- +goose Up
-- When the chain of events began, and the place of its first event: behind a break a new chain begins, and what is in
-- lower places was in a chain before it. A chain that is there already has no time: nobody wrote it down.
ALTER TABLE event_chain ADD COLUMN begun_at timestamptz;
ALTER TABLE event_chain ADD COLUMN begun_seq bigint NOT NULL DEFAULT 1;

-- +goose Down
ALTER TABLE event_chain DROP COLUMN begun_seq;
ALTER TABLE event_chain DROP COLUMN begun_at;
