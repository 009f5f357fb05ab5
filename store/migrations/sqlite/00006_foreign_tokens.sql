-- +goose Up
-- Refresh tokens that another issuer with the same key has made, and that were used or revoked here. The id follows from
-- the token's jti and is that of the session which the token became, if it did.
CREATE TABLE foreign_tokens (
    id         text     NOT NULL PRIMARY KEY,
    expires_at datetime NOT NULL
);
CREATE INDEX foreign_tokens_expires_at ON foreign_tokens (expires_at);

-- Which foreign tokens still count: access tokens made after epoch_raised_at, refresh tokens after sessions_ended_at.
ALTER TABLE users ADD COLUMN epoch_raised_at datetime;
ALTER TABLE users ADD COLUMN sessions_ended_at datetime;
UPDATE users SET epoch_raised_at = CAST(strftime('%s', 'now') AS integer) * 1000000 WHERE epoch > 0;

-- +goose Down
ALTER TABLE users DROP COLUMN sessions_ended_at;
ALTER TABLE users DROP COLUMN epoch_raised_at;
DROP TABLE foreign_tokens;
