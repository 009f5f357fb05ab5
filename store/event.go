package store

import (
	"context"
	"math"
	"slices"

	"gorm.io/gorm"

	"latchkey/models"
)

// CreateEvents implements models.Events.
func (s *Store) CreateEvents(ctx context.Context, list []models.Event) error {
	if len(list) == 0 {
		return nil
	}
	for i := range list {
		if list[i].Detail == nil {
			list[i].Detail = map[string]any{} // it is kept as an object
		}
		if list[i].Hash == nil {
			list[i].Hash = []byte{}
		}
	}
	return s.mapped(gorm.G[models.Event](s.write).CreateInBatches(ctx, &list, 100), "write events")
}

// EventsBefore implements models.Events.
func (s *Store) EventsBefore(ctx context.Context, id int64, limit int) ([]models.Event, error) {
	if id == 0 {
		id = math.MaxInt64
	}
	list, err := gorm.G[models.Event](s.read).Where("id < ?", id).Order("id DESC").Limit(limit).Find(ctx)
	return list, s.mapped(err, "read events")
}

// ListEvents implements models.Events. It walks the index of the user, where one is meant, or those of the types, or that
// of all; who does not fit besides is left out, and the walk ends after a number of rows.
func (s *Store) ListEvents(ctx context.Context, q models.EventQuery) (models.EventPage, error) {
	column, user := "subject_id", q.SubjectID
	if user == 0 {
		column, user = "actor_id", q.ActorID
	}
	types := unique(q.Types)
	if user == 0 {
		return s.eventsOf(ctx, q, types)
	}
	var step, pick statement
	step.add("SELECT * FROM events WHERE "+column+" = ?", user)
	bounds(&step, q)
	filtered := len(types) > 0 || q.SubjectID != 0 && q.ActorID != 0
	if !filtered {
		return s.eventPage(ctx, q, inOrder(&step, q, q.Limit+1), nil)
	}
	inOrder(&step, q, walkRows)
	pick.add("SELECT * FROM ("+step.text.String()+") AS walked WHERE 1 = 1", step.arguments...)
	if q.SubjectID != 0 && q.ActorID != 0 {
		pick.add(" AND actor_id = ?", q.ActorID)
	}
	if len(types) > 0 {
		pick.add(" AND type IN ?", types)
	}
	return s.eventPage(ctx, q, inOrder(&pick, q, q.Limit+1), &step)
}

// eventsOf returns the page of the events of those types, or of all, each from an index of its own.
func (s *Store) eventsOf(ctx context.Context, q models.EventQuery, types []string) (models.EventPage, error) {
	var all statement
	if len(types) == 0 {
		all.add("SELECT * FROM events WHERE 1 = 1")
		bounds(&all, q)
		return s.eventPage(ctx, q, inOrder(&all, q, q.Limit+1), nil)
	}
	all.add("SELECT * FROM (")
	for i, name := range types {
		if i > 0 {
			all.add(" UNION ALL ")
		}
		var one statement
		one.add("SELECT * FROM events WHERE type = ?", name)
		bounds(&one, q)
		inOrder(&one, q, q.Limit+1)
		all.add("SELECT * FROM ("+one.text.String()+") AS one", one.arguments...)
	}
	all.add(") AS bounded")
	return s.eventPage(ctx, q, inOrder(&all, q, q.Limit+1), nil)
}

func unique(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// bounds adds the conditions that keep to a stretch of the order.
func bounds(q *statement, of models.EventQuery) {
	if !of.Since.IsZero() {
		q.add(" AND at >= ?", of.Since)
	}
	if !of.Until.IsZero() {
		q.add(" AND at < ?", of.Until)
	}
	if of.After != nil {
		q.add(" AND (at, id) < (?, ?)", of.After.At, of.After.ID)
	}
	if of.Before != nil {
		q.add(" AND (at, id) > (?, ?)", of.Before.At, of.Before.ID)
	}
}

// inOrder adds the order in which events are read: the newest first, or from the end for the last ones.
func inOrder(q *statement, of models.EventQuery, limit int) *statement {
	direction := " DESC"
	if of.Last {
		direction = ""
	}
	return q.add(" ORDER BY at"+direction+", id"+direction+" LIMIT ?", limit)
}

// eventPage reads a page. Where it was picked from a walk, and is not full, it finds out where that ended.
func (s *Store) eventPage(ctx context.Context, q models.EventQuery, pick, walk *statement) (models.EventPage, error) {
	list, err := s.readEvents(ctx, pick)
	if err != nil {
		return models.EventPage{}, err
	}
	page := models.EventPage{Events: list, More: len(list) > q.Limit}
	if page.More {
		page.Events = list[:q.Limit]
		page.More = q.Limit > 0
	}
	if n := len(page.Events); n > 0 {
		page.End = page.Events[n-1].Key()
	}
	if !page.More && walk != nil {
		var end statement
		end.add("SELECT * FROM ("+walk.text.String()+") AS walked", walk.arguments...)
		inOrder(&end, q, 1).add(" OFFSET ?", walkRows-1)
		last, err := s.readEvents(ctx, &end)
		if err != nil {
			return models.EventPage{}, err
		}
		if len(last) > 0 {
			page.More, page.End = true, last[0].Key()
		}
	}
	if q.Last {
		slices.Reverse(page.Events)
	}
	return page, nil
}

func (s *Store) readEvents(ctx context.Context, q *statement) (list []models.Event, err error) {
	list, err = gorm.G[models.Event](s.read).Raw(q.text.String(), q.arguments...).Find(ctx)
	return list, s.mapped(err, "list events")
}

// CountEvents implements models.Events.
func (s *Store) CountEvents(ctx context.Context, f models.EventFilter) (n int64, err error) {
	var q statement
	q.add("SELECT count(*) FROM events WHERE 1 = 1")
	if f.SubjectID != 0 {
		q.add(" AND subject_id = ?", f.SubjectID)
	}
	if f.ActorID != 0 {
		q.add(" AND actor_id = ?", f.ActorID)
	}
	if len(f.Types) > 0 {
		q.add(" AND type IN ?", f.Types)
	}
	bounds(&q, models.EventQuery{EventFilter: f})
	return n, s.mapped(s.query(ctx, &q).Scan(&n).Error, "count events")
}

// UsernamesOf implements models.Users.
func (s *Store) UsernamesOf(ctx context.Context, ids []int64) (map[int64]string, error) {
	names := map[int64]string{}
	if len(ids) == 0 {
		return names, nil
	}
	are, argument := s.dialect.among("id", ids)
	var list []struct {
		ID       int64
		Username string
	}
	err := s.read.WithContext(ctx).Raw("SELECT id, username FROM users WHERE "+are, argument).Scan(&list).Error
	for _, u := range list {
		names[u.ID] = u.Username
	}
	return names, s.mapped(err, "read usernames")
}
