package graph

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vikstrous/dataloadgen"

	"latchkey/auth"
	"latchkey/models"
)

// loaderWait is how long a loader waits for others that want the same kind of thing.
const loaderWait = 2 * time.Millisecond

// loaders read what belongs to the users of lists, for all users of a list at once. There is one set for a request.
type loaders struct {
	resolver *Resolver

	mu       sync.Mutex
	lists    map[int64][]models.User // the list in which each user is
	roles    *dataloadgen.Loader[int64, []models.Role]
	sessions *dataloadgen.Loader[auth.Owner, []models.Session]
	wanted   []int64 // who is named by events of lists
	people   *dataloadgen.Loader[int64, *models.User]
}

type loadersKey struct{}

// loadersOf returns the loaders of the request.
func loadersOf(ctx context.Context) *loaders {
	l, _ := ctx.Value(loadersKey{}).(*loaders)
	return l
}

// rolesOfAll is the reading of a loader.
func (l *loaders) rolesOfAll(ctx context.Context, ids []int64) ([][]models.Role, []error) {
	found, err := l.resolver.Auth.RolesOf(ctx, ids)
	if err != nil {
		return nil, []error{err}
	}
	list := make([][]models.Role, len(ids))
	for i, id := range ids {
		list[i] = found[id]
	}
	return list, nil
}

// expect notes a list, so that what belongs to one of its users is read for all of them.
func (l *loaders) expect(users []models.User) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lists == nil { // most requests have no list
		wait := dataloadgen.WithWait(loaderWait)
		l.lists = map[int64][]models.User{}
		l.roles = dataloadgen.NewLoader(l.rolesOfAll, wait)
		l.sessions = dataloadgen.NewLoader(l.resolver.Auth.SessionsOf, wait)
	}
	for _, u := range users {
		l.lists[u.ID] = users
	}
}

// expectPeople notes who is named by the events of a list; 0 is nobody.
func (l *loaders) expectPeople(ids []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.people == nil {
		l.people = dataloadgen.NewLoader(l.usersNamed, dataloadgen.WithWait(loaderWait))
	}
	for _, id := range ids {
		if id != 0 && !slices.Contains(l.wanted, id) {
			l.wanted = append(l.wanted, id)
		}
	}
}

// usersNamed is the reading of a loader.
func (l *loaders) usersNamed(ctx context.Context, ids []int64) ([]*models.User, []error) {
	list, errs := l.resolver.Auth.UsersNamed(ctx, ids)
	var found []models.User
	for _, user := range list {
		if user != nil {
			found = append(found, *user)
		}
	}
	l.expect(found)
	return list, errs
}

// person returns a user who is named by an event, and reads the others with them.
func (l *loaders) person(ctx context.Context, id int64) (*models.User, error) {
	l.mu.Lock()
	wanted := slices.Clone(l.wanted)
	l.mu.Unlock()
	for _, other := range wanted {
		l.people.LoadThunk(ctx, other)
	}
	return l.people.Load(ctx, id)
}

// others returns the users of the list in which the user is; nil where the user is in none.
func (l *loaders) others(u models.User) []models.User {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lists[u.ID]
}

// rolesOf returns the user's roles, by name.
func (r *Resolver) rolesOf(ctx context.Context, u models.User) ([]models.Role, error) {
	if !u.RolesLeftOut {
		return u.Roles, nil
	}
	l := loadersOf(ctx)
	for _, other := range l.others(u) {
		l.roles.LoadThunk(ctx, other.ID)
	}
	return l.roles.Load(ctx, u.ID)
}

// sessionsOf returns the user's sessions that go on.
func (r *Resolver) sessionsOf(ctx context.Context, u models.User) ([]models.Session, error) {
	l := loadersOf(ctx)
	list := l.others(u)
	if list == nil { // the user alone; and after each mutation as it is then
		found, errs := r.Auth.SessionsOf(ctx, []auth.Owner{ownerOf(u)})
		return found[0], errs[0]
	}
	for _, other := range list {
		l.sessions.LoadThunk(ctx, ownerOf(other))
	}
	return l.sessions.Load(ctx, ownerOf(u))
}

func ownerOf(u models.User) auth.Owner {
	return auth.Owner{UserID: u.IDText(), SessionID: u.SignedInAs}
}

// loading is a schema that gives each request loaders of its own.
type loading struct {
	graphql.ExecutableSchema
	resolver *Resolver
}

// Exec implements graphql.ExecutableSchema.
func (s loading) Exec(ctx context.Context) graphql.ResponseHandler {
	run := s.ExecutableSchema.Exec(ctx)
	return func(ctx context.Context) *graphql.Response {
		return run(context.WithValue(ctx, loadersKey{}, &loaders{resolver: s.resolver}))
	}
}
