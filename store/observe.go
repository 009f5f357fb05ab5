package store

import (
	"context"
	"database/sql"

	"gorm.io/gorm"
)

// PoolStats is what a pool of connections is doing.
type PoolStats struct {
	Name string // with SQLite write and read; with PostgreSQL main, feed and probe
	sql.DBStats
}

// pool is a pool of connections that has a name.
type pool struct {
	name string
	db   *sql.DB
}

// PoolStats returns what each pool of connections is doing, always in the same order.
func (s *Store) PoolStats() []PoolStats {
	list := make([]PoolStats, len(s.pools))
	for i, p := range s.pools {
		list[i] = PoolStats{p.name, p.db.Stats()}
	}
	return list
}

// Observe has tell called with each statement that reads outside a transaction, before it is run: for those who count
// them. It is called before the Store is used by several goroutines.
func (s *Store) Observe(tell func(statement string)) {
	s.read.Statement.ConnPool = observed{s.read.Statement.ConnPool, tell}
}

// observed is a pool of connections that somebody looks at.
type observed struct {
	gorm.ConnPool
	tell func(string)
}

// QueryContext implements gorm.ConnPool.
func (o observed) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	o.tell(query)
	return o.ConnPool.QueryContext(ctx, query, args...)
}

// QueryRowContext implements gorm.ConnPool.
func (o observed) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	o.tell(query)
	return o.ConnPool.QueryRowContext(ctx, query, args...)
}

// GetDBConn implements gorm.GetDBConnector: the pool is still found to be closed.
func (o observed) GetDBConn() (*sql.DB, error) {
	if pool, ok := o.ConnPool.(*sql.DB); ok {
		return pool, nil
	}
	if within, ok := o.ConnPool.(gorm.GetDBConnector); ok {
		return within.GetDBConn()
	}
	return nil, gorm.ErrInvalidDB
}

// BeginTx implements gorm.ConnPoolBeginner. What is read in a transaction is not told.
func (o observed) BeginTx(ctx context.Context, options *sql.TxOptions) (gorm.ConnPool, error) {
	switch pool := o.ConnPool.(type) {
	case gorm.TxBeginner:
		return pool.BeginTx(ctx, options)
	case gorm.ConnPoolBeginner:
		return pool.BeginTx(ctx, options)
	default:
		return nil, gorm.ErrInvalidTransaction
	}
}

// ObserveWrites has tell called with each statement of the pool that writes, inside a transaction, too, and with "BEGIN"
// where one begins. On PostgreSQL that pool reads as well. It is called as Observe is.
func (s *Store) ObserveWrites(tell func(statement string)) {
	s.write.Statement.ConnPool = observedWrites{observed{s.write.Statement.ConnPool, tell}}
}

// observedWrites is a pool of connections of which all is looked at.
type observedWrites struct{ observed }

// ExecContext implements gorm.ConnPool.
func (o observedWrites) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	o.tell(query)
	return o.ConnPool.ExecContext(ctx, query, args...)
}

// BeginTx implements gorm.ConnPoolBeginner.
func (o observedWrites) BeginTx(ctx context.Context, options *sql.TxOptions) (gorm.ConnPool, error) {
	o.tell("BEGIN")
	tx, err := o.observed.BeginTx(ctx, options)
	if err != nil {
		return nil, err
	}
	return &observedTx{observedWrites{observed{tx, o.tell}}}, nil
}

// observedTx is a transaction that is looked at. It is used by its pointer, which GORM asks to be nil or not.
type observedTx struct{ observedWrites }

// Commit implements gorm.TxCommitter.
func (o observedTx) Commit() error {
	if tx, ok := o.ConnPool.(gorm.TxCommitter); ok {
		return tx.Commit()
	}
	return gorm.ErrInvalidTransaction
}

// Rollback implements gorm.TxCommitter.
func (o observedTx) Rollback() error {
	if tx, ok := o.ConnPool.(gorm.TxCommitter); ok {
		return tx.Rollback()
	}
	return gorm.ErrInvalidTransaction
}
