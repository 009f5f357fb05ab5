package store

import (
	"context"
	"slices"
	"strings"

	"gorm.io/gorm"

	"latchkey/models"
)

// A page is read in one of two ways. Where a filter fits few users, these are looked at one by one and sorted. Else an
// index is walked in the order of the page, and who does not fit is left out. Both end after a number of rows.
const (
	fewUsers = 5_000  // how many are sorted
	walkRows = 10_000 // how many are looked at in a walk
)

// beyond stands behind every text that begins as the one before it does.
const beyond = "\U0010ffff"

// ListUsers implements models.Users.
func (s *Store) ListUsers(ctx context.Context, q models.UserQuery) (models.UserPage, error) {
	l := listing{Store: s, q: q}
	if q.Search != "" {
		l.from = folded(q.Search)
		l.to = l.from + beyond
	}
	if q.Role != "" {
		roles, err := s.RolesNamed(ctx, []string{q.Role})
		if err != nil || len(roles) == 0 {
			return models.UserPage{}, err
		}
		l.role = roles[0].ID
	}
	few, ids, err := l.few(ctx)
	if err != nil {
		return models.UserPage{}, err
	}
	var page []found
	var more bool
	if few {
		page, more, err = l.pick(ctx, ids)
	} else {
		page, more, err = l.walk(ctx)
	}
	if err != nil {
		return models.UserPage{}, err
	}
	return l.page(ctx, page, more)
}

// listing is the reading of one page.
type listing struct {
	*Store
	q        models.UserQuery
	from, to string // the range of terms, where there is a search
	role     int64  // 0: any or none
	end      *found // where a walk ended before the page was full
}

// found is a user, and the term by which it was found.
type found struct {
	ID   int64
	Text string
}

// statement is SQL that is put together.
type statement struct {
	text      strings.Builder
	arguments []any
}

func (q *statement) add(text string, arguments ...any) *statement {
	q.text.WriteString(text)
	q.arguments = append(q.arguments, arguments...)
	return q
}

func (s *Store) query(ctx context.Context, q *statement) *gorm.DB {
	return s.read.WithContext(ctx).Raw(q.text.String(), q.arguments...)
}

// few returns the users that the narrowest filter fits, where it fits few.
func (l *listing) few(ctx context.Context) (bool, []int64, error) {
	var tries []*statement
	if l.role != 0 {
		tries = append(tries, new(statement).add("SELECT user_id FROM user_roles WHERE role_id = ?", l.role))
	}
	if l.q.Search != "" && l.q.IsActive != nil {
		tries = append(tries, new(statement).add("SELECT id FROM users WHERE is_active = ?", *l.q.IsActive))
	}
	sorted := l.q.Search != "" && l.q.Order != models.ByMatch // no index has this order
	if sorted {
		tries = append(tries, new(statement).add("SELECT user_id FROM user_terms WHERE term >= ? AND term < ?", l.from, l.to))
	}
	for _, try := range tries {
		var ids []int64
		if err := l.query(ctx, try.add(" LIMIT ?", fewUsers+1)).Scan(&ids).Error; err != nil {
			return false, nil, l.mapped(err, "read ids of users")
		}
		if len(ids) <= fewUsers {
			return true, ids, nil
		}
	}
	if sorted {
		return false, nil, models.ErrTooMany
	}
	return false, nil, nil
}

// pick reads the page from few users.
func (l *listing) pick(ctx context.Context, ids []int64) ([]found, bool, error) {
	are, argument := l.dialect.among("users.id", ids)
	var q statement
	q.add("WITH chosen AS MATERIALIZED (SELECT users.id, ")
	if l.q.Order == models.ByMatch {
		l.match(q.add("("), "users.id")
		q.add(")")
	} else {
		q.add(l.column())
	}
	q.add(" AS place FROM users WHERE "+are, argument)
	if l.q.IsActive != nil {
		q.add(" AND is_active = ?", *l.q.IsActive)
	}
	l.hasRole(&q, " AND ", "users.id")
	if l.q.Search != "" {
		l.match(q.add(" AND ("), "users.id")
		q.add(") IS NOT NULL")
	}
	q.add(") SELECT id")
	if l.q.Order == models.ByMatch {
		q.add(", place AS text")
	}
	q.add(" FROM chosen WHERE 1 = 1")
	l.between(&q, "place", "id")
	l.ordered(&q, "place", "id", l.q.Limit+1)
	return l.read(ctx, &q)
}

// walk reads the page from an index.
func (l *listing) walk(ctx context.Context) ([]found, bool, error) {
	if l.q.Order != models.ByMatch && l.role == 0 {
		var q statement
		l.step(&q, l.q.Limit+1)
		return l.read(ctx, &q)
	}
	var q statement
	q.add("SELECT id")
	if l.q.Order == models.ByMatch {
		q.add(", place AS text")
	}
	l.step(q.add(" FROM ("), walkRows)
	q.add(") AS walked WHERE 1 = 1")
	l.hasRole(&q, " AND ", "walked.id")
	if l.q.Order == models.ByMatch {
		// A user is found by the first of the terms that fit, and not again by the others.
		l.match(q.add(" AND ("), "walked.id")
		q.add(") = walked.place")
		if l.q.IsActive != nil {
			q.add(" AND (SELECT is_active FROM users WHERE users.id = walked.id) = ?", *l.q.IsActive)
		}
	}
	l.ordered(&q, "place", "id", l.q.Limit+1)
	page, more, err := l.read(ctx, &q)
	if err != nil || more {
		return page, more, err
	}
	return page, false, l.ended(ctx)
}

// ended finds out where the walk ended, if it was not at the end of the index.
func (l *listing) ended(ctx context.Context) error {
	var q statement
	q.add("SELECT id")
	if l.q.Order == models.ByMatch {
		q.add(", place AS text")
	}
	l.step(q.add(" FROM ("), walkRows)
	q.add(") AS walked")
	l.ordered(&q, "place", "id", 1)
	q.add(" OFFSET ?", walkRows-1)
	var last []found
	if err := l.query(ctx, &q).Scan(&last).Error; err != nil {
		return l.mapped(err, "read end of page")
	}
	if len(last) > 0 {
		l.end = &last[0]
	}
	return nil
}

// step adds the rows of the index, in order, from where the page begins.
func (l *listing) step(q *statement, limit int) {
	if l.q.Order == models.ByMatch {
		q.add("SELECT term AS place, user_id AS id FROM user_terms WHERE 1 = 1")
		low, high := l.q.After, l.q.Before
		if l.q.Descending {
			low, high = high, low
		}
		// One bound a side: of two SQLite may take the wider one for its index, and then look at all between them.
		if low == nil || low.Text < l.from {
			low = &models.UserKey{Text: l.from}
		}
		if high == nil || high.Text > l.to {
			high = &models.UserKey{Text: l.to}
		}
		q.add(" AND (term, user_id) > (?, ?) AND (term, user_id) < (?, ?)", low.Text, low.ID, high.Text, high.ID)
		l.ordered(q, "term", "user_id", limit)
		return
	}
	q.add("SELECT " + l.column() + " AS place, id FROM users WHERE 1 = 1")
	if l.q.IsActive != nil {
		q.add(" AND is_active = ?", *l.q.IsActive)
	}
	l.between(q, l.column(), "id")
	l.ordered(q, l.column(), "id", limit)
}

// column is what users are sorted by, where that is no term.
func (l *listing) column() string {
	if l.q.Order == models.ByDateJoined {
		return "date_joined"
	}
	return l.dialect.usernameOrder()
}

// match adds the first term of the user that the search fits.
func (l *listing) match(q *statement, id string) {
	q.add("SELECT min(term) FROM user_terms WHERE user_id = "+id+" AND term >= ? AND term < ?", l.from, l.to)
}

// hasRole adds the condition that the user has the role. It is no EXISTS, which a planner could turn into a look at
// everybody who has it.
func (l *listing) hasRole(q *statement, and, id string) {
	if l.role != 0 {
		q.add(and+"(SELECT role_id FROM user_roles WHERE user_id = "+id+" AND role_id = ?) IS NOT NULL", l.role)
	}
}

// between adds the conditions that keep to the places After and Before.
func (l *listing) between(q *statement, place, id string) {
	after, before := ">", "<"
	if l.q.Descending {
		after, before = before, after
	}
	for _, side := range []struct {
		key  *models.UserKey
		sign string
	}{{l.q.After, after}, {l.q.Before, before}} {
		if side.key == nil {
			continue
		}
		q.add(" AND ("+place+", "+id+") "+side.sign+" (?, ?)", l.value(*side.key), side.key.ID)
	}
}

// value returns what the column has at a key.
func (l *listing) value(key models.UserKey) any {
	if l.q.Order == models.ByDateJoined {
		return key.At
	}
	return key.Text
}

// ordered adds the order in which rows are read: from the end for the last ones.
func (l *listing) ordered(q *statement, place, id string, limit int) {
	direction := ""
	if l.q.Descending != l.q.Last {
		direction = " DESC"
	}
	q.add(" ORDER BY "+place+direction+", "+id+direction+" LIMIT ?", limit)
}

// read reads the page, and whether there is more.
func (l *listing) read(ctx context.Context, q *statement) ([]found, bool, error) {
	var rows []found
	if err := l.query(ctx, q).Scan(&rows).Error; err != nil {
		return nil, false, l.mapped(err, "list users")
	}
	if len(rows) > l.q.Limit {
		return rows[:l.q.Limit], true, nil
	}
	return rows, false, nil
}

// page reads the users of the page.
func (l *listing) page(ctx context.Context, rows []found, more bool) (models.UserPage, error) {
	ids := make([]int64, len(rows), len(rows)+1)
	for i, row := range rows {
		ids[i] = row.ID
	}
	if l.end != nil {
		ids = append(ids, l.end.ID)
	}
	users, err := l.UsersByID(ctx, ids)
	if err != nil {
		return models.UserPage{}, err
	}
	page := models.UserPage{More: more && len(users) > 0}
	for _, row := range rows {
		if user, ok := users[row.ID]; ok { // else the user was deleted a moment ago
			page.Users = append(page.Users, user)
			page.Keys = append(page.Keys, l.key(user, row))
		}
	}
	if n := len(page.Keys); n > 0 {
		page.End = page.Keys[n-1]
	}
	if l.end != nil {
		user, ok := users[l.end.ID]
		page.More, page.End = ok, l.key(user, *l.end)
	}
	if l.q.Last {
		slices.Reverse(page.Users)
		slices.Reverse(page.Keys)
	}
	return page, nil
}

func (l *listing) key(user models.User, row found) models.UserKey {
	switch l.q.Order {
	case models.ByDateJoined:
		return models.UserKey{At: user.DateJoined, ID: row.ID}
	case models.ByMatch:
		return models.UserKey{Text: row.Text, ID: row.ID}
	default:
		return models.UserKey{Text: user.Username, ID: row.ID}
	}
}

// UsersByID implements models.Users.
func (s *Store) UsersByID(ctx context.Context, ids []int64) (map[int64]models.User, error) {
	if len(ids) == 0 {
		return map[int64]models.User{}, nil
	}
	are, argument := s.dialect.among("id", ids)
	list, err := gorm.G[models.User](s.read).Where(are, argument).Find(ctx)
	users := make(map[int64]models.User, len(list))
	for _, u := range list {
		u.RolesLeftOut = true
		users[u.ID] = u
	}
	return users, s.mapped(err, "read users")
}

// CountUsers implements models.Users.
func (s *Store) CountUsers(ctx context.Context, f models.UserFilter) (n int64, err error) {
	var q statement
	q.add("SELECT count(*) FROM users WHERE 1 = 1")
	if f.IsActive != nil {
		q.add(" AND is_active = ?", *f.IsActive)
	}
	if f.Role != "" {
		q.add(" AND id IN (SELECT user_id FROM user_roles JOIN roles ON roles.id = role_id WHERE roles.name = ?)", f.Role)
	}
	if f.Search != "" {
		from := folded(f.Search)
		q.add(" AND id IN (SELECT user_id FROM user_terms WHERE term >= ? AND term < ?)", from, from+beyond)
	}
	return n, s.mapped(s.query(ctx, &q).Scan(&n).Error, "count users")
}
