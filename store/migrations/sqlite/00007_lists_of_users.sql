-- +goose Up
-- What a user is found by: username, e-mail address and names, without a difference of case, a row each. The program
-- writes them, for no two databases agree on what case is; a search is a range of them.
CREATE TABLE user_terms (
    term    text    NOT NULL,
    user_id integer NOT NULL REFERENCES users ON DELETE CASCADE,
    PRIMARY KEY (term, user_id)
) WITHOUT ROWID;
CREATE INDEX user_terms_user_id ON user_terms (user_id, term);
-- Those whose rows are still to be written, which migrating does next, in batches.
CREATE TABLE user_terms_due (
    user_id integer NOT NULL PRIMARY KEY REFERENCES users ON DELETE CASCADE
);
INSERT INTO user_terms_due SELECT id FROM users;

-- The orders of lists, for all users and for those who are active or not.
CREATE INDEX users_in_order ON users (username, id);
CREATE INDEX users_active_in_order ON users (is_active, username, id);
CREATE INDEX users_by_date ON users (date_joined, id);
CREATE INDEX users_active_by_date ON users (is_active, date_joined, id);
CREATE INDEX users_superusers ON users (id) WHERE is_superuser AND is_active;
DROP INDEX user_roles_role_id;
CREATE INDEX user_roles_role_id ON user_roles (role_id, user_id);

-- +goose Down
DROP INDEX user_roles_role_id;
CREATE INDEX user_roles_role_id ON user_roles (role_id);
DROP INDEX users_superusers;
DROP INDEX users_active_by_date;
DROP INDEX users_by_date;
DROP INDEX users_active_in_order;
DROP INDEX users_in_order;
DROP TABLE user_terms_due;
DROP TABLE user_terms;
