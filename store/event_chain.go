package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"gorm.io/gorm"

	"latchkey/models"
)

const selectChain = `SELECT sealed, begun_at, begun_seq, before_id, first_seq, prev_hash, last_seq, last_hash, mac
	FROM event_chain WHERE id = 1`

// EventChain implements models.Events.
func (s *Store) EventChain(ctx context.Context) (models.EventChain, error) {
	return s.eventChain(ctx, selectChain)
}

func (s *Store) eventChain(ctx context.Context, query string) (c models.EventChain, err error) {
	var begun sql.NullTime
	err = s.read.Statement.ConnPool.QueryRowContext(ctx, query).Scan(
		&c.Sealed, &begun, &c.BegunSeq, &c.BeforeID, &c.FirstSeq, &c.PrevHash, &c.LastSeq, &c.LastHash, &c.MAC)
	if begun.Valid {
		c.BegunAt = begun.Time.UTC()
	}
	return c, s.mapped(err, "read event chain")
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

// HoldEvents implements models.ChainKey.
func (s *Store) HoldEvents(ctx context.Context) (lastID, lastSeq int64, err error) {
	if err := s.dialect.holdEvents(ctx, s); err != nil {
		return 0, 0, s.mapped(err, "hold events")
	}
	if err := s.read.WithContext(ctx).Raw(s.dialect.lastEventID()).Scan(&lastID).Error; err != nil {
		return 0, 0, s.mapped(err, "read last id of events")
	}
	err = s.read.WithContext(ctx).Raw("SELECT coalesce(max(seq), 0) FROM events WHERE seq <> 0 AND seq > 0").Scan(&lastSeq).Error
	return lastID, lastSeq, s.mapped(err, "read last place of events")
}

// PutEventChain implements models.ChainKey.
func (s *Store) PutEventChain(ctx context.Context, c models.EventChain) error {
	begun := sql.NullTime{Time: c.BegunAt, Valid: !c.BegunAt.IsZero()}
	err := s.write.WithContext(ctx).Exec(`INSERT INTO event_chain
		(id, sealed, begun_at, begun_seq, before_id, first_seq, prev_hash, last_seq, last_hash, mac) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed, begun_at = excluded.begun_at, begun_seq = excluded.begun_seq,
			before_id = excluded.before_id, first_seq = excluded.first_seq, prev_hash = excluded.prev_hash,
			last_seq = excluded.last_seq, last_hash = excluded.last_hash, mac = excluded.mac`,
		c.Sealed, begun, c.BegunSeq, c.BeforeID, c.FirstSeq, c.PrevHash, c.LastSeq, c.LastHash, c.MAC).Error
	return s.mapped(err, "begin event chain")
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

// EventsBeforeChain implements models.Events.
func (s *Store) EventsBeforeChain(ctx context.Context, c models.EventChain) (count int64, stray *models.Event, err error) {
	before, other := "seq = 0 AND id BETWEEN 1 AND @id", "seq = 0 AND (id < 1 OR id > @id) OR seq <> 0 AND seq < @first"
	if c.BegunSeq > 1 {
		before = "seq < @begun AND id <= @id"
		other = "seq = 0 AND id > @id OR seq <> 0 AND seq < @first AND (seq >= @begun OR id > @id)"
	}
	places := map[string]any{"id": c.BeforeID, "begun": c.BegunSeq, "first": c.FirstSeq}
	if err := s.read.WithContext(ctx).Raw("SELECT count(*) FROM events WHERE "+before, places).Scan(&count).Error; err != nil {
		return 0, nil, s.mapped(err, "count events from before the chain")
	}
	list, err := gorm.G[models.Event](s.read).Raw("SELECT * FROM events WHERE "+other+" ORDER BY at, id LIMIT 1", places).Find(ctx)
	if err != nil || len(list) == 0 {
		return count, nil, s.mapped(err, "read events outside the chain")
	}
	return count, &list[0], nil
}

// DeleteChainedEvents implements models.Events.
func (s *Store) DeleteChainedEvents(ctx context.Context, from, below int64) error {
	err := s.write.WithContext(ctx).Exec("DELETE FROM events WHERE seq <> 0 AND seq >= ? AND seq < ?", from, below).Error
	return s.mapped(err, "delete events")
}

// DeleteFormerEvents implements models.Events.
func (s *Store) DeleteFormerEvents(ctx context.Context, below int64, over time.Time, limit int) (int, error) {
	result := s.write.WithContext(ctx).Exec(`DELETE FROM events WHERE id IN (
		SELECT id FROM events WHERE at <= ? AND seq <> 0 AND seq < ? ORDER BY at, id LIMIT ?)`, over, below, limit)
	return int(result.RowsAffected), s.mapped(result.Error, "delete events of former chains")
}
