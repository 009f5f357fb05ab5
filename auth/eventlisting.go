package auth

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"latchkey/fault"
	"latchkey/models"
)

// Events returns a page of what happened, the newest first. Needs audit:read.
func (s *Service) Events(ctx context.Context, q models.EventQuery) (models.EventPage, error) {
	if err := s.Authorize(ctx, models.PermAuditRead); err != nil {
		return models.EventPage{}, err
	}
	return s.listEvents(ctx, q)
}

// CountEvents returns how many events there are. Needs audit:read.
func (s *Service) CountEvents(ctx context.Context, f models.EventFilter) (int, error) {
	if err := s.Authorize(ctx, models.PermAuditRead); err != nil {
		return 0, err
	}
	return s.countEvents(ctx, f)
}

// OwnEvents returns a page of what was done to the owner, who must be the caller: FORBIDDEN else. Of what somebody else
// did it says neither who, nor from where: a user hears that the password was reset, and not which administrator did it.
func (s *Service) OwnEvents(ctx context.Context, o Owner, q models.EventQuery) (models.EventPage, error) {
	own, err := s.owned(ctx, o)
	if err != nil {
		return models.EventPage{}, err
	}
	q.SubjectID = own
	page, err := s.listEvents(ctx, q)
	for i := range page.Events {
		page.Events[i] = veiled(page.Events[i])
	}
	return page, err
}

// CountOwnEvents returns how many events OwnEvents has on all pages.
func (s *Service) CountOwnEvents(ctx context.Context, o Owner, f models.EventFilter) (int, error) {
	own, err := s.owned(ctx, o)
	if err != nil {
		return 0, err
	}
	f.SubjectID = own
	return s.countEvents(ctx, f)
}

// owned returns the id of the owner, if that is who makes the request.
func (s *Service) owned(ctx context.Context, o Owner) (int64, error) {
	if o.SessionID == "" { // not who was just signed in by this very request
		caller, err := CallerFrom(ctx)
		if err != nil {
			return 0, err
		}
		if caller.UserID != o.UserID {
			return 0, s.denied(ctx, userNumber(o), ruleForeignEvents, fault.New(fault.KindForbidden))
		}
	}
	return userNumber(o), nil
}

// veiled returns an event as its subject may see it.
func veiled(e models.Event) models.Event {
	if e.ActorID == 0 || e.ActorID == e.SubjectID {
		return e
	}
	e.ActorID, e.ActorName, e.Address, e.UserAgent = 0, "", "", ""
	if EventType(e.Type) != EventSessionsEnded { // whose session is the subject's
		e.SessionID = ""
	}
	return e
}

func (s *Service) listEvents(ctx context.Context, q models.EventQuery) (models.EventPage, error) {
	page, err := s.Store.ListEvents(ctx, q)
	if err != nil {
		return models.EventPage{}, fmt.Errorf("list events: %w", err)
	}
	return page, nil
}

func (s *Service) countEvents(ctx context.Context, f models.EventFilter) (int, error) {
	n, err := s.Store.CountEvents(ctx, f)
	if err != nil {
		return 0, fmt.Errorf("count events: %w", err)
	}
	return int(n), nil
}

// UsersNamed returns the users of those ids without their roles; nil for one that there is not. Oneself, or anybody with
// users:read: FORBIDDEN without.
func (s *Service) UsersNamed(ctx context.Context, ids []int64) ([]*models.User, []error) {
	users, errs := make([]*models.User, len(ids)), make([]error, len(ids))
	others := sync.OnceValue(func() error { return s.Authorize(ctx, models.PermUsersRead) })
	caller, _ := CallerFrom(ctx)
	var wanted []int64
	for i, id := range ids {
		if caller == nil || caller.UserID != strconv.FormatInt(id, 10) {
			errs[i] = others()
		}
		if errs[i] == nil {
			wanted = append(wanted, id)
		}
	}
	found, err := s.Store.UsersByID(ctx, wanted)
	for i, id := range ids {
		switch user, ok := found[id]; {
		case errs[i] != nil:
		case err != nil:
			errs[i] = fmt.Errorf("read users: %w", err)
		case ok:
			users[i] = &user
		}
	}
	return users, errs
}
