-- +goose Up
-- No token of the session is accepted from keep_until on, and the row may go. The cleaning looks at the row at sweep_at,
-- which a refresh does not move: an index on what a refresh changes would make each of them write every index anew.
-- A node of an older version that still runs does not know of either, and its sessions are kept.
ALTER TABLE sessions ADD COLUMN keep_until datetime NOT NULL DEFAULT 253402214400000000; -- 9999-12-31
ALTER TABLE sessions ADD COLUMN sweep_at datetime NOT NULL DEFAULT 253402214400000000;
UPDATE sessions SET keep_until = expires_at + 86400000000, sweep_at = expires_at + 86400000000; -- a day
CREATE INDEX sessions_sweep_at ON sessions (sweep_at);

-- What happened. A row is written once and never changed; the oldest are deleted when their time is over.
CREATE TABLE events (
    id         integer PRIMARY KEY AUTOINCREMENT,
    at         datetime NOT NULL,
    type       text     NOT NULL,
    actor_id   integer  NOT NULL, -- 0: nobody who is signed in
    subject_id integer  NOT NULL, -- 0: about no user; no reference, for it outlives the user
    session_id text     NOT NULL,
    address    text     NOT NULL,
    user_agent text     NOT NULL,
    detail     text     NOT NULL -- a JSON object, byte for byte as it was written
);
CREATE INDEX events_at ON events (at);

-- +goose Down
DROP TABLE events;
DROP INDEX sessions_sweep_at;
ALTER TABLE sessions DROP COLUMN sweep_at;
ALTER TABLE sessions DROP COLUMN keep_until;
