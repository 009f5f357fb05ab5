-- +goose Up
-- Tries at credentials that failed or are under way. A row is a bucket with three steps; each column says when the tries
-- that it holds are forgotten, in microseconds since 1970 on both databases, since a statement counts with them.
-- The id begins with a keyed hash of the account, so that those of one account are found together.
CREATE TABLE attempts (
    id         text        COLLATE "C" NOT NULL PRIMARY KEY,
    step1_at   bigint      NOT NULL,
    step2_at   bigint      NOT NULL,
    step3_at   bigint      NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX attempts_expires_at ON attempts (expires_at);

-- +goose Down
DROP TABLE attempts;
