package store

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/testdb"
	"latchkey/models"
)

// busy returns a migrated store of many events, ten a second: of three types, by ten users, to a hundred.
func busy(t testing.TB, url string, n int) *Store {
	t.Helper()
	s, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) //nolint:errcheck // the test is over
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	at, hash := "1767225600000000 + (i / 10) * 1000000", "x'01'" // 2026
	if !strings.HasPrefix(url, "sqlite:") {
		at, hash = "timestamptz '2026-01-01T00:00:00Z' + (i / 10) * interval '1 second'", `'\x01'`
	}
	fill := []string{fmt.Sprintf(`INSERT INTO events (id, at, type, actor_id, subject_id, session_id, address, user_agent, detail, seq, hash)
		WITH RECURSIVE series (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < %d)
		SELECT i, %s, CASE WHEN i %% 1000 = 0 THEN 'rare' WHEN i %% 3 = 0 THEN 'signed_out' ELSE 'signed_in' END,
			1 + i %% 10, 1 + i %% 100, '', '', '', '{}', i, %s FROM series`, n, at, hash)}
	if !strings.HasPrefix(url, "sqlite:") { // SQLite has no statistics unless somebody asks for them
		fill = append(fill, "ANALYZE events")
	}
	for _, statement := range fill {
		if err := s.write.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	return s
}

type listedEvents struct {
	name  string
	query models.EventQuery
}

// eventPages returns the kinds of page that there are, each as the first, as one in the middle, and as the last.
func eventPages(n int) []listedEvents {
	middle := &models.EventKey{At: time.Date(2026, 1, 1, 0, 0, n/20, 0, time.UTC), ID: int64(n / 2)}
	from, to := middle.At.Add(-time.Minute), middle.At.Add(time.Minute)
	var list []listedEvents
	for _, row := range []listedEvents{
		{"all", models.EventQuery{}},
		{"of a time", models.EventQuery{EventFilter: models.EventFilter{Since: from, Until: to}}},
		{"of a type", models.EventQuery{EventFilter: models.EventFilter{Types: []string{"signed_in"}}}},
		{"of a rare type", models.EventQuery{EventFilter: models.EventFilter{Types: []string{"rare"}}}},
		{"of no type that there is", models.EventQuery{EventFilter: models.EventFilter{Types: []string{"none"}}}},
		{"of three types", models.EventQuery{EventFilter: models.EventFilter{Types: []string{"signed_in", "rare", "none"}}}},
		{"of a type and a time", models.EventQuery{EventFilter: models.EventFilter{Types: []string{"rare"}, Since: from, Until: to}}},
		{"of a subject", models.EventQuery{EventFilter: models.EventFilter{SubjectID: 7}}},
		{"of an actor", models.EventQuery{EventFilter: models.EventFilter{ActorID: 7}}},
		{"of an actor and a subject", models.EventQuery{EventFilter: models.EventFilter{ActorID: 7, SubjectID: 7}}},
		{"of an actor and a type", models.EventQuery{EventFilter: models.EventFilter{ActorID: 1, Types: []string{"rare"}}}},
		{"of a subject, a type and a time", models.EventQuery{EventFilter: models.EventFilter{SubjectID: 7, Types: []string{"signed_in"}, Since: from, Until: to}}},
	} {
		row.query.Limit = 20
		list = append(list, row)
		last := row
		last.name, last.query.Last = row.name+", the last", true
		list = append(list, last)
		row.name, row.query.After = row.name+", in the middle", middle
		list = append(list, row)
	}
	return list
}

// A page of events is read from an index, from where it begins: the table is not read from end to end, and nothing is
// sorted but what was bounded before.
func TestPlansOfEvents(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes many events")
	}
	const many = 30_000
	forbidden := regexp.MustCompile(`Seq Scan on events|(?m)\bSCAN events$`)
	sorted := regexp.MustCompile(`Sort|TEMP B-TREE`)
	testdb.Each(t, func(t *testing.T, url string) {
		s, ran := watched(busy(t, url, many))
		for _, page := range eventPages(many) {
			*ran = nil
			if _, err := s.ListEvents(t.Context(), page.query); err != nil {
				t.Fatalf("%s: %v", page.name, err)
			}
			for _, statement := range slices.Clone(*ran) {
				plan := explain(t, s, statement)
				// Of several types each gives a page, and a walk a number of rows; these few are sorted.
				bounded := strings.Contains(statement, "AS bounded") || strings.Contains(statement, "AS walked")
				if forbidden.MatchString(plan) || sorted.MatchString(plan) && !bounded {
					t.Errorf("%s:\n%.600s\n%s", page.name, statement, plan)
				}
			}
		}
		for name, run := range map[string]func() error{
			"the chain, page by page": func() error {
				_, err := s.ChainedEvents(t.Context(), many/2, 1000)
				return err
			},
			"those in no chain": func() error {
				_, _, err := s.EventsBeforeChain(t.Context(), models.EventChain{BegunSeq: 1, FirstSeq: many / 2, BeforeID: many})
				return err
			},
			"those of former chains": func() error {
				_, err := s.DeleteFormerEvents(t.Context(), 5, time.UnixMicro(0), 100)
				return err
			},
		} {
			*ran = nil
			if err := run(); err != nil {
				t.Fatal(err)
			}
			for _, statement := range slices.Clone(*ran) {
				if plan := explain(t, s, statement); forbidden.MatchString(plan) {
					t.Errorf("%s:\n%s\n%s", name, statement, plan)
				}
			}
		}
	})
}

// Each page has what a look at every event finds, whatever the filters, forwards and backwards.
func TestPagesOfEventsHaveWhatFits(t *testing.T) {
	const many = 3_000
	testdb.Each(t, func(t *testing.T, url string) {
		s := busy(t, url, many)
		all, err := s.EventsBefore(t.Context(), 0, many)
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range eventPages(many) {
			q := page.query
			var want []int64
			for _, e := range all {
				if fits(e, q) {
					want = append(want, e.ID)
				}
			}
			var got []int64
			q.Limit = 200
			for {
				p, err := s.ListEvents(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				var ids []int64
				for _, e := range p.Events {
					ids = append(ids, e.ID)
				}
				if q.Last {
					got = append(ids, got...)
					q.Before = &p.End
				} else {
					got = append(got, ids...)
					q.After = &p.End
				}
				if !p.More {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %d events, want %d", page.name, len(got), len(want))
			}
			if n, err := s.CountEvents(t.Context(), q.EventFilter); page.query.After == nil && (err != nil || n != int64(len(want))) {
				t.Errorf("%s: %d were counted, %v; want %d", page.name, n, err, len(want))
			}
		}
	})
}

func fits(e models.Event, q models.EventQuery) bool {
	after := q.After == nil || e.At.Before(q.After.At) || e.At.Equal(q.After.At) && e.ID < q.After.ID
	return after && (len(q.Types) == 0 || slices.Contains(q.Types, e.Type)) &&
		(q.SubjectID == 0 || e.SubjectID == q.SubjectID) && (q.ActorID == 0 || e.ActorID == q.ActorID) &&
		(q.Since.IsZero() || !e.At.Before(q.Since)) && (q.Until.IsZero() || e.At.Before(q.Until))
}

// A walk that finds nothing for long says from where to go on.
func TestALongWalkOfEventsEndsEarly(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		s := busy(t, url, 5)
		fill := fmt.Sprintf(`INSERT INTO events (id, at, type, actor_id, subject_id, session_id, address, user_agent, detail)
			WITH RECURSIVE series (i) AS (SELECT 6 UNION ALL SELECT i + 1 FROM series WHERE i < %d)
			SELECT i, (SELECT at FROM events WHERE id = 5), 'signed_in', 1, 5000, '', '', '', '{}' FROM series`, walkRows+500)
		for _, statement := range []string{fill, "UPDATE events SET type = 'rare' WHERE id = 6"} {
			if err := s.write.Exec(statement).Error; err != nil {
				t.Fatal(err)
			}
		}
		q := models.EventQuery{EventFilter: models.EventFilter{SubjectID: 5000, Types: []string{"rare"}}, Limit: 20}
		first, err := s.ListEvents(t.Context(), q)
		if err != nil || len(first.Events) != 0 || !first.More {
			t.Fatalf("%d events, more %t, %v", len(first.Events), first.More, err)
		}
		q.After = &first.End
		second, err := s.ListEvents(t.Context(), q)
		if err != nil || len(second.Events) != 1 || second.Events[0].ID != 6 || second.More {
			t.Fatalf("%d events, more %t, %v", len(second.Events), second.More, err)
		}
	})
}
