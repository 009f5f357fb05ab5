-- +goose Up
-- When the newest generations of the refresh token began: a JSON array of microseconds since 1970, newest first.
ALTER TABLE sessions ADD COLUMN rotations text;

-- +goose Down
ALTER TABLE sessions DROP COLUMN rotations;
