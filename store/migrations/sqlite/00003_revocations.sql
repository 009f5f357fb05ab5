-- +goose Up
CREATE TABLE revocations (
    id         integer PRIMARY KEY AUTOINCREMENT,
    session_id text     NOT NULL,
    user_id    integer  NOT NULL,
    epoch      integer  NOT NULL,
    expires_at datetime NOT NULL
);
CREATE INDEX revocations_expires_at ON revocations (expires_at);

-- +goose Down
DROP TABLE revocations;
