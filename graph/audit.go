package graph

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/auth"
	"latchkey/fault"
	"latchkey/graph/model"
	"latchkey/models"
)

// toEventQuery reads what a connection of events takes.
func toEventQuery(p pageArguments) (q models.EventQuery, err error) {
	if q.Limit, q.Last, err = p.size(); err != nil {
		return q, err
	}
	if q.After, err = parseEventCursor(p.after, "after"); err != nil {
		return q, err
	}
	q.Before, err = parseEventCursor(p.before, "before")
	return q, err
}

// toEventFilter reads the filters of `auditEvents`.
func toEventFilter(types []model.AuditEventType, user, actor *string, since, until *time.Time) (f models.EventFilter, err error) {
	for _, t := range types {
		f.Types = append(f.Types, strings.ToLower(string(t)))
	}
	for _, of := range []struct {
		id    *string
		field string
		to    *int64
	}{{user, "user", &f.SubjectID}, {actor, "actor", &f.ActorID}} {
		if of.id == nil {
			continue
		}
		n, ok := number(*of.id)
		if !ok || n <= 0 {
			return f, fault.BadUserInput("This is no id of a user.", of.field)
		}
		*of.to = n
	}
	f.Since, f.Until = filled(since).UTC(), filled(until).UTC()
	return f, nil
}

// toEventConnection answers a page of events. Those of a type that only a newer version of this program knows are left out.
func toEventConnection(ctx context.Context, q models.EventQuery, page models.EventPage) *model.AuditEventConnection {
	c := &model.AuditEventConnection{
		Edges: []model.AuditEventEdge{}, Nodes: []model.AuditEvent{}, Filter: q.EventFilter,
		PageInfo: pageInfo(q.Last, q.After != nil, q.Before != nil, page.More),
	}
	var people []int64
	for _, e := range page.Events {
		node := toAuditEvent(e)
		if !node.Type.IsValid() {
			continue
		}
		people = append(people, e.ActorID, e.SubjectID)
		c.Nodes = append(c.Nodes, node)
		c.Edges = append(c.Edges, model.AuditEventEdge{Node: &node, Cursor: eventCursor(e.Key())})
	}
	loadersOf(ctx).expectPeople(people)
	if n := len(c.Edges); n > 0 {
		c.PageInfo.StartCursor, c.PageInfo.EndCursor = &c.Edges[0].Cursor, &c.Edges[n-1].Cursor
	}
	if page.More {
		goOnFrom(c.PageInfo, q.Last, eventCursor(page.End))
	}
	return c
}

// toAuditEvent splits what is said of an event into why, how often, and what was changed.
func toAuditEvent(e models.Event) model.AuditEvent {
	node := model.AuditEvent{
		ID: strconv.FormatInt(e.ID, 10), Type: model.AuditEventType(strings.ToUpper(e.Type)), At: e.At,
		Outcome: model.AuditOutcomeDone, Count: 1,
		ActorID: idOrNil(e.ActorID), ActorName: textOrNil(e.ActorName),
		SubjectID: idOrNil(e.SubjectID), SubjectName: textOrNil(e.SubjectName), SessionID: textOrNil(e.SessionID),
		IPAddress: textOrNil(e.Address), UserAgent: textOrNil(e.UserAgent), Changes: []model.AuditChange{},
	}
	if auth.EventType(e.Type).IsFailure() {
		node.Outcome = model.AuditOutcomeRefused
	}
	for field, value := range e.Detail {
		switch v := value.(type) {
		case string:
			if field == "reason" {
				node.Reason = &v
				continue
			}
		case float64:
			if field == "count" {
				node.Count = int(v)
				continue
			}
		}
		if text, err := json.Marshal(value); err == nil { // it came from JSON
			node.Changes = append(node.Changes, model.AuditChange{Field: field, Value: string(text)})
		}
	}
	slices.SortFunc(node.Changes, func(a, b model.AuditChange) int { return strings.Compare(a.Field, b.Field) })
	return node
}

func idOrNil(id int64) *string {
	if id == 0 {
		return nil
	}
	text := strconv.FormatInt(id, 10)
	return &text
}

func textOrNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// personOf returns the user of that id; nil where there is no id, or no such user any more.
func personOf(ctx context.Context, id *string) (*models.User, error) {
	if id == nil {
		return nil, nil //nolint:nilnil // nobody is nobody
	}
	n, _ := number(*id) // it was written here
	return loadersOf(ctx).person(ctx, n)
}
