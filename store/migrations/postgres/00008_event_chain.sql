-- +goose Up
-- Events follow each other in a chain: seq is the place in it, without gaps, and hash authenticates the row and all rows
-- before. Those that were there before this, and those of a node of an older version, are in no chain: seq is 0.
-- The names are those of the users at the time, who may be gone.
ALTER TABLE events ADD COLUMN actor_name text NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN subject_name text NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN seq bigint NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN hash bytea NOT NULL DEFAULT '';
CREATE UNIQUE INDEX events_seq ON events (seq) WHERE seq <> 0;
CREATE INDEX events_unchained ON events (at, id) WHERE seq = 0;

-- Lists of events are by time, and by id where the time is the same.
DROP INDEX events_at;
CREATE INDEX events_at ON events (at, id);
CREATE INDEX events_type ON events (type, at, id);
CREATE INDEX events_subject ON events (subject_id, at, id);
CREATE INDEX events_actor ON events (actor_id, at, id);

-- Where the chain begins and ends: one row. Whoever writes events locks it.
CREATE TABLE event_chain (
    id        smallint PRIMARY KEY CHECK (id = 1),
    sealed    bytea    NOT NULL, -- the key of the chain, encrypted
    before_id bigint   NOT NULL, -- events in no chain have ids up to this one
    first_seq bigint   NOT NULL,
    prev_hash bytea    NOT NULL,
    last_seq  bigint   NOT NULL,
    last_hash bytea    NOT NULL,
    mac       bytea    NOT NULL  -- authenticates the row but sealed
);

-- +goose Down
DROP TABLE event_chain;
DROP INDEX events_actor;
DROP INDEX events_subject;
DROP INDEX events_type;
DROP INDEX events_at;
CREATE INDEX events_at ON events (at);
DROP INDEX events_unchained;
DROP INDEX events_seq;
ALTER TABLE events DROP COLUMN hash;
ALTER TABLE events DROP COLUMN seq;
ALTER TABLE events DROP COLUMN subject_name;
ALTER TABLE events DROP COLUMN actor_name;
