package store

import (
	"context"
	"slices"

	"gorm.io/gorm"

	"latchkey/models"
)

const selectChain = "SELECT sealed, before_id, first_seq, prev_hash, last_seq, last_hash, mac FROM event_chain WHERE id = 1"

// EventChain implements models.Events.
func (s *Store) EventChain(ctx context.Context) (models.EventChain, error) {
	return s.eventChain(ctx, selectChain)
}

func (s *Store) eventChain(ctx context.Context, query string) (c models.EventChain, err error) {
	err = s.read.Statement.ConnPool.QueryRowContext(ctx, query).Scan(chainFields(&c)...)
	return c, s.mapped(err, "read event chain")
}

// chainFields returns where the columns of selectChain go.
func chainFields(c *models.EventChain) []any {
	return []any{&c.Sealed, &c.BeforeID, &c.FirstSeq, &c.PrevHash, &c.LastSeq, &c.LastHash, &c.MAC}
}

// SealedChainKey implements models.ChainKey.
func (s *Store) SealedChainKey(ctx context.Context) ([]byte, error) {
	var list [][]byte
	err := s.read.WithContext(ctx).Raw("SELECT sealed FROM event_chain WHERE id = 1").Scan(&list).Error
	if err != nil || len(list) == 0 {
		return nil, s.mapped(err, "read key of event chain")
	}
	return list[0], nil
}

// ReplaceChainKey implements models.ChainKey.
func (s *Store) ReplaceChainKey(ctx context.Context, old, replacement []byte) (bool, error) {
	result := s.write.WithContext(ctx).Exec("UPDATE event_chain SET sealed = ? WHERE id = 1 AND sealed = ?", replacement, old)
	return result.RowsAffected == 1, s.mapped(result.Error, "replace key of event chain")
}

// LastEventID implements models.Events.
func (s *Store) LastEventID(ctx context.Context) (id int64, err error) {
	err = s.read.WithContext(ctx).Raw(s.dialect.lastEventID()).Scan(&id).Error
	return id, s.mapped(err, "read last id of events")
}

// CreateEventChain implements models.Events.
func (s *Store) CreateEventChain(ctx context.Context, c models.EventChain) (bool, error) {
	result := s.write.WithContext(ctx).Exec(`INSERT INTO event_chain
		(id, sealed, before_id, first_seq, prev_hash, last_seq, last_hash, mac) VALUES (1, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`, c.Sealed, c.BeforeID, c.FirstSeq, c.PrevHash, c.LastSeq, c.LastHash, c.MAC)
	return result.RowsAffected == 1, s.mapped(result.Error, "begin event chain")
}

// TakeEventChain implements models.Events.
func (s *Store) TakeEventChain(ctx context.Context, events int) (models.EventChain, []int64, error) {
	c, err := s.eventChain(ctx, s.dialect.takeChain())
	if err != nil || events == 0 {
		return c, nil, err
	}
	ids, err := s.dialect.nextEventIDs(ctx, s, events)
	return c, ids, s.mapped(err, "draw ids of events")
}

// MoveEventChain implements models.Events.
func (s *Store) MoveEventChain(ctx context.Context, c models.EventChain) error {
	err := s.write.WithContext(ctx).Exec(`UPDATE event_chain
		SET first_seq = ?, prev_hash = ?, last_seq = ?, last_hash = ?, mac = ? WHERE id = 1`,
		c.FirstSeq, c.PrevHash, c.LastSeq, c.LastHash, c.MAC).Error
	return s.mapped(err, "move event chain")
}

// ChainedEvents implements models.Events.
func (s *Store) ChainedEvents(ctx context.Context, seq int64, limit int) ([]models.ChainedEvent, error) {
	var q statement
	q.add("SELECT *, detail AS detail_text FROM events WHERE seq <> 0 AND seq >= ?", seq)
	if mistyped := s.dialect.mistypedEvent(); mistyped != "" {
		q.add(" AND NOT " + mistyped)
	}
	q.add(" ORDER BY seq, id LIMIT ?", limit)
	list, err := gorm.G[models.ChainedEvent](s.read).Raw(q.text.String(), q.arguments...).Find(ctx)
	if err != nil {
		return nil, s.mapped(err, "read event chain")
	}
	return s.withMistyped(ctx, list, seq, limit)
}

// withMistyped puts the first row that is mistyped in its place among the others of a page, which it ends.
func (s *Store) withMistyped(ctx context.Context, list []models.ChainedEvent, seq int64, limit int) ([]models.ChainedEvent, error) {
	mistyped := s.dialect.mistypedEvent()
	if mistyped == "" {
		return list, nil
	}
	var q statement
	q.add("SELECT CAST(id AS integer) AS id, CAST(seq AS integer) AS seq FROM events WHERE seq <> 0 AND seq >= ?", seq)
	if len(list) == limit {
		q.add(" AND seq <= ?", list[limit-1].Seq)
	}
	var found []struct{ ID, Seq int64 }
	if err := s.query(ctx, q.add(" AND "+mistyped+" ORDER BY seq, id LIMIT 1")).Scan(&found).Error; err != nil {
		return nil, s.mapped(err, "read event chain")
	}
	if len(found) == 0 {
		return list, nil
	}
	odd := models.ChainedEvent{Event: models.Event{ID: found[0].ID, Seq: found[0].Seq}, Mistyped: true}
	at := slices.IndexFunc(list, func(e models.ChainedEvent) bool { return e.Seq > odd.Seq })
	if at < 0 {
		at = len(list)
	}
	return append(list[:at], odd), nil
}

// UnchainedEvents implements models.Events.
func (s *Store) UnchainedEvents(ctx context.Context, upTo int64) (count int64, beyond *models.Event, err error) {
	err = s.read.WithContext(ctx).Raw("SELECT count(*) FROM events WHERE seq = 0 AND id BETWEEN 1 AND ?", upTo).Scan(&count).Error
	if err != nil {
		return 0, nil, s.mapped(err, "count events in no chain")
	}
	list, err := gorm.G[models.Event](s.read).Raw(
		"SELECT * FROM events WHERE seq = 0 AND (id > ? OR id < 1) ORDER BY at, id LIMIT 1", upTo).Find(ctx)
	if err != nil || len(list) == 0 {
		return count, nil, s.mapped(err, "read events in no chain")
	}
	return count, &list[0], nil
}

// DeleteChainedEvents implements models.Events.
func (s *Store) DeleteChainedEvents(ctx context.Context, below int64) error {
	err := s.write.WithContext(ctx).Exec("DELETE FROM events WHERE seq <> 0 AND seq < ?", below).Error
	return s.mapped(err, "delete events")
}
