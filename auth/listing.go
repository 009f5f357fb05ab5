package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"latchkey/fault"
	"latchkey/models"
)

// maxSearch is how long a text to search for may be, in characters: as long as what it can be the beginning of.
const maxSearch = 254

// User returns a user with the roles. Needs users:read. NOT_FOUND where there is none of that id.
func (s *Service) User(ctx context.Context, id int64) (models.User, error) {
	if err := s.Authorize(ctx, models.PermUsersRead); err != nil {
		return models.User{}, err
	}
	return found(s.Store.UserByID(ctx, id))
}

// UserNamed returns the user of exactly that name, with the roles. Needs users:read. NOT_FOUND where there is none.
func (s *Service) UserNamed(ctx context.Context, name string) (models.User, error) {
	if err := s.Authorize(ctx, models.PermUsersRead); err != nil {
		return models.User{}, err
	}
	return found(s.userForLogin(ctx, name))
}

// found returns the user that was read; NOT_FOUND where there is none.
func found(user models.User, err error) (models.User, error) {
	if errors.Is(err, models.ErrNotFound) {
		return models.User{}, fault.New(fault.KindNotFound)
	}
	if err != nil {
		return models.User{}, fmt.Errorf("read user: %w", err)
	}
	return user, nil
}

// Users returns a page of users, without their roles. Needs users:read. A search without an order comes by what was
// found. BAD_USER_INPUT for a text that nothing can begin with, and for an order of more users than can be sorted.
func (s *Service) Users(ctx context.Context, q models.UserQuery) (models.UserPage, error) {
	if err := s.Authorize(ctx, models.PermUsersRead); err != nil {
		return models.UserPage{}, err
	}
	possible, err := checkFilter(&q.UserFilter)
	if err != nil || !possible {
		return models.UserPage{}, err
	}
	page, err := s.Store.ListUsers(ctx, q)
	if errors.Is(err, models.ErrTooMany) {
		return models.UserPage{}, fault.BadUserInput(
			"Too many users are found to sort them: search for more of the text, or leave out orderBy.", "orderBy", "search")
	}
	if err != nil {
		return models.UserPage{}, fmt.Errorf("list users: %w", err)
	}
	return page, nil
}

// CountUsers returns how many users there are. Needs users:read.
func (s *Service) CountUsers(ctx context.Context, f models.UserFilter) (int, error) {
	if err := s.Authorize(ctx, models.PermUsersRead); err != nil {
		return 0, err
	}
	possible, err := checkFilter(&f)
	if err != nil || !possible {
		return 0, err
	}
	n, err := s.Store.CountUsers(ctx, f)
	if err != nil {
		return 0, fmt.Errorf("count users: %w", err)
	}
	return int(n), nil
}

// checkFilter trims the search, and reports whether anybody can fit the filter at all.
func checkFilter(f *models.UserFilter) (possible bool, err error) {
	f.Search = strings.TrimSpace(f.Search)
	if !isText(f.Search) {
		return false, fault.BadUserInput(textNul, "search")
	}
	if utf8.RuneCountInString(f.Search) > maxSearch {
		return false, fault.BadUserInput(fmt.Sprintf(textTooLong, maxSearch), "search")
	}
	return isText(f.Role), nil
}
