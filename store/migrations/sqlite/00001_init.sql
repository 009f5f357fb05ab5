-- Times are integers, microseconds since 1970; the driver knows them by the word datetime.
-- +goose Up
CREATE TABLE users (
    id            integer PRIMARY KEY AUTOINCREMENT, -- an id is never given twice
    username      text        NOT NULL UNIQUE,
    username_key  text        NOT NULL UNIQUE,
    email         text        NOT NULL,
    first_name    text        NOT NULL,
    last_name     text        NOT NULL,
    password_hash text        NOT NULL,
    is_active     boolean     NOT NULL,
    is_staff      boolean     NOT NULL,
    is_superuser  boolean     NOT NULL,
    epoch         integer     NOT NULL,
    date_joined   datetime    NOT NULL,
    last_login    datetime
);

CREATE TABLE roles (
    id          integer PRIMARY KEY AUTOINCREMENT, -- an id is never given twice
    name        text NOT NULL UNIQUE,
    description text NOT NULL,
    permissions text NOT NULL -- a JSON array of names
);

CREATE TABLE user_roles (
    user_id integer NOT NULL REFERENCES users ON DELETE CASCADE,
    role_id integer NOT NULL REFERENCES roles ON DELETE CASCADE,
    PRIMARY KEY (user_id, role_id)
);
CREATE INDEX user_roles_role_id ON user_roles (role_id);

CREATE TABLE sessions (
    id           text        PRIMARY KEY,
    user_id      integer     NOT NULL REFERENCES users ON DELETE CASCADE,
    generation   integer     NOT NULL,
    created_at   datetime    NOT NULL,
    last_used_at datetime    NOT NULL,
    expires_at   datetime    NOT NULL,
    limit_at     datetime,
    ended_at     datetime,
    user_agent   text        NOT NULL,
    ip_address   text        NOT NULL
);
CREATE INDEX sessions_user_id ON sessions (user_id);

CREATE TABLE signing_keys (
    id         text        PRIMARY KEY,
    algorithm  text        NOT NULL,
    sealed     blob        NOT NULL,
    created_at datetime    NOT NULL,
    retired_at datetime
);
-- Of two nodes that start on an empty database, one makes the key.
CREATE UNIQUE INDEX signing_keys_algorithm ON signing_keys (algorithm) WHERE retired_at IS NULL;

-- +goose Down
DROP TABLE signing_keys;
DROP TABLE sessions;
DROP TABLE user_roles;
DROP TABLE roles;
DROP TABLE users;
