package graph

import (
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"latchkey/auth"
	"latchkey/fault"
	"latchkey/graph/model"
	"latchkey/models"
)

// Sizes of a page.
const (
	defaultPage = 20
	maxPage     = 100
)

// userID reads the id of a user. NOT_FOUND for what is none.
func userID(id string) (int64, error) {
	n, ok := number(id)
	if !ok || n <= 0 {
		return 0, fault.New(fault.KindNotFound)
	}
	return n, nil
}

// pageArguments is what a connection takes.
type pageArguments struct {
	first, last   *int
	after, before *string
}

// size returns how many elements a page has at most, and whether they are the last ones.
func (p pageArguments) size() (limit int, last bool, err error) {
	if p.first != nil && p.last != nil {
		return 0, false, fault.BadUserInput("first and last do not go together.", "first", "last")
	}
	limit, field := defaultPage, "first"
	if p.first != nil {
		limit = *p.first
	}
	if p.last != nil {
		limit, field, last = *p.last, "last", true
	}
	if limit < 0 || limit > maxPage {
		return 0, false, fault.BadUserInput("A page has 0 to 100 elements.", field)
	}
	return limit, last, nil
}

// toUserQuery reads the arguments of `users`.
func toUserQuery(p pageArguments, filter models.UserFilter, orderBy *model.UserOrder) (q models.UserQuery, err error) {
	filter.Search = strings.TrimSpace(filter.Search)
	q.UserFilter = filter
	if q.Limit, q.Last, err = p.size(); err != nil {
		return q, err
	}
	switch {
	case orderBy != nil && orderBy.Field == model.UserOrderFieldDateJoined:
		q.Order = models.ByDateJoined
	case orderBy == nil && filter.Search != "":
		q.Order = models.ByMatch
	}
	q.Descending = orderBy != nil && orderBy.Direction == model.OrderDirectionDesc
	if q.After, err = parseUserCursor(q.Order, p.after, "after"); err != nil {
		return q, err
	}
	q.Before, err = parseUserCursor(q.Order, p.before, "before")
	return q, err
}

func toUserConnection(q models.UserQuery, page models.UserPage) *model.UserConnection {
	edges := make([]model.UserEdge, len(page.Users))
	for i := range page.Users {
		edges[i] = model.UserEdge{Node: &page.Users[i], Cursor: userCursor(q.Order, page.Keys[i])}
	}
	info := pageInfo(q.Last, q.After != nil, q.Before != nil, page.More)
	if n := len(edges); n > 0 {
		info.StartCursor, info.EndCursor = &edges[0].Cursor, &edges[n-1].Cursor
	}
	if page.More {
		goOnFrom(info, q.Last, userCursor(q.Order, page.End))
	}
	nodes := page.Users
	if nodes == nil {
		nodes = []models.User{}
	}
	return &model.UserConnection{Edges: edges, Nodes: nodes, PageInfo: info, Filter: q.UserFilter}
}

// pageInfo says whether there is more before and after a page, which was read from either end.
func pageInfo(last, hasAfter, hasBefore, more bool) *model.PageInfo {
	if last {
		return &model.PageInfo{HasNextPage: hasBefore, HasPreviousPage: more}
	}
	return &model.PageInfo{HasNextPage: more, HasPreviousPage: hasAfter}
}

// goOnFrom notes where the reading of a page that has more behind it ended: it may have gone past the last of its edges.
func goOnFrom(info *model.PageInfo, last bool, end string) {
	if last {
		info.StartCursor = &end
	} else {
		info.EndCursor = &end
	}
}

func toUserForm(in model.UserCreateInput) auth.UserForm {
	return auth.UserForm{
		Username: in.Username, Password: in.Password, Email: valueOf(in.Email), FirstName: valueOf(in.FirstName),
		LastName: valueOf(in.LastName), IsStaff: valueOf(in.IsStaff), IsSuperuser: valueOf(in.IsSuperuser),
		Roles: in.Roles.Value(),
	}
}

func toUserChange(in model.UserUpdateInput) auth.UserChange {
	return auth.UserChange{
		Username: optional(in.Username), Password: optional(in.Password), Email: optional(in.Email),
		FirstName: optional(in.FirstName), LastName: optional(in.LastName), IsActive: optional(in.IsActive),
		IsStaff: optional(in.IsStaff), IsSuperuser: optional(in.IsSuperuser),
		Roles: auth.Optional[[]string]{Set: in.Roles.IsSet(), Null: in.Roles.IsSet() && in.Roles.Value() == nil, Value: in.Roles.Value()},
	}
}

func optional[T any](field graphql.Omittable[*T]) auth.Optional[T] {
	return auth.Optional[T]{Set: field.IsSet(), Null: field.IsSet() && field.Value() == nil, Value: valueOf(field)}
}

// valueOf returns the value of a field; the zero value where it is null or was left out.
func valueOf[T any](field graphql.Omittable[*T]) T {
	var zero T
	if v := field.Value(); v != nil {
		return *v
	}
	return zero
}

// filled returns what an argument was given, and its zero value where it was not.
func filled[T any](argument *T) T {
	var zero T
	if argument != nil {
		return *argument
	}
	return zero
}

// userPayload answers a form about a user.
func userPayload(user models.User, err error) (*model.UserPayload, error) {
	if err != nil {
		problems, err := toUserErrors(err, "input")
		if err != nil {
			return nil, err
		}
		return &model.UserPayload{Errors: problems}, nil
	}
	return &model.UserPayload{User: &user, Errors: []model.UserError{}}, nil
}

// rolePayload answers a form about a role.
func rolePayload(role models.Role, err error) (*model.RolePayload, error) {
	if err != nil {
		problems, err := toUserErrors(err, "input")
		if err != nil {
			return nil, err
		}
		return &model.RolePayload{Errors: problems}, nil
	}
	return &model.RolePayload{Role: &role, Errors: []model.UserError{}}, nil
}
