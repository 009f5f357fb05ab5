package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"latchkey/models"
)

// maxConnections bounds the pool of one node: PostgreSQL's default takes 100 from all of them.
const maxConnections = 16

type postgresDialect struct {
	url              string
	refreshStatement string
}

// openPostgres opens a PostgreSQL database. Statements are not prepared by GORM: pgx caches them already.
func openPostgres(ctx context.Context, url string) (*Store, error) {
	db, err := gorm.Open(postgres.New(postgres.Config{DSN: url}), settings())
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL database: %w", err)
	}
	pool, err := db.DB()
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL database: %w", err)
	}
	pool.SetMaxOpenConns(maxConnections)
	pool.SetMaxIdleConns(maxConnections)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open PostgreSQL database: %w", err), pool.Close())
	}
	statement, err := refreshStatement()
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return &Store{dialect: postgresDialect{url, statement}, read: db, write: db}, nil
}

func (postgresDialect) migrations() migrations {
	return migrations{dialect: goose.DialectPostgres, folder: "migrations/postgres", lock: sessionLock{}}
}

// conflict reads the column from the name of the constraint, which the migrations choose.
func (postgresDialect) conflict(err error) (string, bool) {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || pg.Code != "23505" {
		return "", false
	}
	column, ok := constraintColumns()[pg.ConstraintName]
	return column, ok
}

// constraintColumns tells which field a unique constraint of the migrations is about.
func constraintColumns() map[string]string {
	return map[string]string{
		"users_username":      "username",
		"users_username_key":  "username",
		"roles_name":          "name",
		"signing_keys_active": "algorithm",
		"signing_keys_next":   "algorithm",
	}
}

// refreshed is a row of the statement below.
type refreshed struct {
	Session models.Session `gorm:"embedded;embeddedPrefix:s_"`
	User    models.User    `gorm:"embedded;embeddedPrefix:u_"`
	Roles   []models.Role  `gorm:"serializer:json"`
}

// refreshStatement is the guarded UPDATE, the user and the roles in one round trip.
func refreshStatement() (string, error) {
	session, err := columns(models.Session{}, "session", "s_")
	if err != nil {
		return "", err
	}
	user, err := columns(models.User{}, "users", "u_")
	if err != nil {
		return "", err
	}
	return `WITH session AS (` + refreshUpdate(`jsonb_path_query_array(to_jsonb(CAST(@micros AS bigint)) || coalesce(rotations, '[]'), '$[0 to 7]')`) + `)
SELECT ` + session + `, ` + user + `,
	(SELECT coalesce(json_agg(json_build_object('ID', roles.id, 'Name', roles.name, 'Description', roles.description,
		'Permissions', roles.permissions::json) ORDER BY roles.name), '[]')
	FROM roles JOIN user_roles ON user_roles.role_id = roles.id WHERE user_roles.user_id = users.id) AS roles
FROM session JOIN users ON users.id = session.user_id`, nil
}

// columns lists the columns of a model, each under its name with the prefix.
func columns(model any, table, prefix string) (string, error) {
	parsed, err := schema.Parse(model, &sync.Map{}, schema.NamingStrategy{})
	if err != nil {
		return "", fmt.Errorf("read model: %w", err)
	}
	list := make([]string, len(parsed.DBNames))
	for i, name := range parsed.DBNames {
		list[i] = table + "." + name + " AS " + prefix + name
	}
	return strings.Join(list, ", "), nil
}

func (d postgresDialect) refresh(ctx context.Context, s *Store, r models.Refresh) (models.Session, models.User, error) {
	var row refreshed
	result := s.write.WithContext(ctx).Raw(d.refreshStatement, refreshArguments(r)).Scan(&row)
	if result.Error != nil {
		return models.Session{}, models.User{}, s.mapped(result.Error, "refresh session")
	}
	if result.RowsAffected == 0 {
		return models.Session{}, models.User{}, models.ErrNotFound
	}
	row.User.Roles = row.Roles
	return row.Session, row.User, nil
}

// alone takes a lock of the transaction, which also works behind a pooler, and does not wait for it. Its name keeps two
// servers in different schemas of one database apart.
func (postgresDialect) alone(ctx context.Context, tx *Store) (alone bool, err error) {
	err = tx.write.WithContext(ctx).
		Raw("SELECT pg_try_advisory_xact_lock(hashtextextended('latchkey cleaning ' || current_schema(), 0))").Scan(&alone).Error
	return alone, err
}
