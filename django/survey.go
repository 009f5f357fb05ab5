package django

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"strings"
)

// Role is a group of the dump as a role.
type Role struct {
	At          Position
	Name        string
	Permissions []string // sorted
}

// Survey is what one reading of a dump found: what users refer to, and what is wrong. It keeps no user; of each it keeps
// some thirty bytes, which tell a second one of that id or name.
type Survey struct {
	Users   int            // records that can be imported, but for what they refer to
	Ignored map[string]int // records of other models, by the beginning of its name; "": those of models beyond the 300th
	Bare    int            // permissions that carry their codename alone, for their content type is not in the dump

	own          []string // names of permissions that a bare codename may not have
	groups       []placed[Group]
	permissions  []placed[Permission]
	contentTypes map[int64]ContentType

	ids   map[int64]uint64 // a set: 64 ids a word
	names map[uint64]struct{}
	seed  maphash.Seed
	bad   map[int]bool // the numbers of the records that were reported

	roles           []Role
	groupNames      map[int64]string
	groupExists     map[string]bool
	permissionNames map[int64]string
}

type placed[T any] struct {
	at   Position
	what *T
}

// NewSurvey reads the dump to its end and calls report for each record that cannot be imported by itself, in their order
// but for groups and permissions, which come last. own are the names of permissions that mean something here: none may
// come by them by chance, without the name of an app in front.
//
// progress is told after each user how many there were. NewSurvey returns a fatal *Error, or the error of the input.
func NewSurvey(r *Reader, own []string, report func(*Error), progress func(users int)) (*Survey, error) {
	s := &Survey{
		Ignored: map[string]int{}, own: own, contentTypes: map[int64]ContentType{},
		ids: map[int64]uint64{}, names: map[uint64]struct{}{}, seed: maphash.MakeSeed(), bad: map[int]bool{},
		groupNames: map[int64]string{}, groupExists: map[string]bool{}, permissionNames: map[int64]string{},
	}
	refuse := func(at Position, reason string) {
		if reason != "" {
			s.bad[at.Record] = true
			report(&Error{At: at, Reason: reason})
		}
	}
	for {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			s.resolve(refuse)
			return s, nil
		}
		if e, ok := errors.AsType[*Error](err); ok && !e.Fatal {
			refuse(e.At, e.Reason)
			continue
		}
		if err != nil {
			return nil, err
		}
		refuse(record.At, s.add(record))
		if record.User != nil {
			progress(s.Users)
		}
	}
}

// Refused reports whether the record was reported.
func (s *Survey) Refused(at Position) bool { return s.bad[at.Record] }

// Roles returns the groups, by name.
func (s *Survey) Roles() []Role { return s.roles }

// add keeps what is needed of a record, or says what is wrong with it.
func (s *Survey) add(record Record) (reason string) {
	switch {
	case record.User != nil:
		if reason := s.again(record.User); reason != "" {
			return reason
		}
		s.Users++
	case record.Group != nil:
		s.groups = append(s.groups, placed[Group]{record.At, record.Group})
	case record.Permission != nil:
		s.permissions = append(s.permissions, placed[Permission]{record.At, record.Permission})
	case record.ContentType != nil:
		s.contentTypes[record.ContentType.ID] = *record.ContentType
	default:
		s.ignore(record.Model)
	}
	return ""
}

// Bounds of what is kept of other models: a dump may have any names.
const (
	maxIgnored     = 300
	maxIgnoredName = 80 // characters
)

func (s *Survey) ignore(model string) {
	name := fmt.Sprintf("%.*s", maxIgnoredName, model)
	if _, ok := s.Ignored[name]; !ok && len(s.Ignored) >= maxIgnored {
		name = ""
	}
	s.Ignored[name]++
}

// again says why the user cannot be, where the dump had one of that id or name before.
func (s *Survey) again(u *User) (reason string) {
	word, bit := u.ID>>6, uint64(1)<<(u.ID&63)
	if s.ids[word]&bit != 0 {
		return fmt.Sprintf("the dump had a user with pk %d before", u.ID)
	}
	name := maphash.String(s.seed, u.Username)
	if _, ok := s.names[name]; ok {
		return fmt.Sprintf("the dump had a user %.80q before", u.Username)
	}
	s.ids[word] |= bit
	s.names[name] = struct{}{}
	return ""
}

// resolve makes names of the permissions and roles of the groups.
func (s *Survey) resolve(refuse func(Position, string)) {
	for _, p := range s.permissions {
		if reason := s.name(p.what); reason != "" {
			refuse(p.at, modelPermission+": "+reason)
		}
	}
	for _, g := range s.groups {
		if reason := s.role(g); reason != "" {
			refuse(g.at, modelGroup+": "+reason)
		}
	}
	slices.SortFunc(s.roles, func(a, b Role) int { return strings.Compare(a.Name, b.Name) })
	s.permissions, s.groups, s.ids, s.names = nil, nil, nil, nil
}

// name gives the permission its name.
func (s *Survey) name(p *Permission) (reason string) {
	name := p.Codename
	if p.ContentType.ID == 0 {
		name = p.ContentType.Natural[0] + "." + name
	} else if c, ok := s.contentTypes[p.ContentType.ID]; ok {
		name = c.AppLabel + "." + name
	} else if slices.Contains(s.own, name) {
		return fmt.Sprintf("without its app it would be %q, which means something here; dump contenttypes.contenttype, too", name)
	} else {
		s.Bare++
	}
	if p.ID == 0 {
		return ""
	}
	if _, ok := s.permissionNames[p.ID]; ok {
		return fmt.Sprintf("the dump had one with pk %d before", p.ID)
	}
	s.permissionNames[p.ID] = name
	return ""
}

// role makes a role of the group.
func (s *Survey) role(g placed[Group]) (reason string) {
	if s.groupExists[g.what.Name] || g.what.ID != 0 && s.groupNames[g.what.ID] != "" {
		return "the dump had one of that pk or name before"
	}
	permissions, reason := s.permissionsOf(g.what.Permissions)
	if reason != "" {
		return reason
	}
	s.groupExists[g.what.Name] = true
	if g.what.ID != 0 {
		s.groupNames[g.what.ID] = g.what.Name
	}
	s.roles = append(s.roles, Role{At: g.at, Name: g.what.Name, Permissions: permissions})
	return ""
}

// permissionsOf returns the names of permissions, sorted and without repeats.
func (s *Survey) permissionsOf(keys []Key) (names []string, reason string) {
	names = []string{}
	for _, k := range keys {
		name, ok := s.permissionNames[k.ID]
		if k.ID == 0 {
			name, ok = k.Natural[1]+"."+k.Natural[0], true // codename, app and model
		}
		if !ok {
			return nil, fmt.Sprintf("it has permission %s, which cannot be taken from the dump; dump auth.permission, too, or use --natural-foreign", k)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names), ""
}

// Member returns the roles of a user, and the permissions that the user has without one; both sorted. An *Error where
// the dump does not have one of them.
func (s *Survey) Member(at Position, u *User) (roles, permissions []string, err error) {
	roles = []string{}
	for _, k := range u.Groups {
		name, ok := s.groupNames[k.ID]
		if k.ID == 0 {
			name = k.Natural[0]
			ok = s.groupExists[name]
		}
		if !ok {
			return nil, nil, &Error{At: at, Reason: fmt.Sprintf("the user %.80q is in group %s, which cannot be taken from the dump; dump auth.group, too", u.Username, k)}
		}
		roles = append(roles, name)
	}
	slices.Sort(roles)
	permissions, reason := s.permissionsOf(u.Permissions)
	if reason != "" {
		return nil, nil, &Error{At: at, Reason: fmt.Sprintf("the user %.80q: %s", u.Username, reason)}
	}
	return slices.Compact(roles), permissions, nil
}
