-- +goose Up
-- A key is next while it has no activated_at, then active, then retired. It verifies until expires_at.
ALTER TABLE signing_keys ADD COLUMN activated_at datetime;
ALTER TABLE signing_keys ADD COLUMN expires_at datetime;
UPDATE signing_keys SET activated_at = created_at;
DROP INDEX signing_keys_algorithm;
-- Of many nodes that make or rotate a key at once, one does.
CREATE UNIQUE INDEX signing_keys_active ON signing_keys (algorithm) WHERE activated_at IS NOT NULL AND retired_at IS NULL;
CREATE UNIQUE INDEX signing_keys_next ON signing_keys (algorithm) WHERE activated_at IS NULL AND retired_at IS NULL;

-- +goose Down
DROP INDEX signing_keys_next;
DROP INDEX signing_keys_active;
DELETE FROM signing_keys WHERE activated_at IS NULL;
ALTER TABLE signing_keys DROP COLUMN expires_at;
ALTER TABLE signing_keys DROP COLUMN activated_at;
CREATE UNIQUE INDEX signing_keys_algorithm ON signing_keys (algorithm) WHERE retired_at IS NULL;
