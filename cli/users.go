package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"latchkey/auth"
	"latchkey/config"
	"latchkey/fault"
	"latchkey/models"
)

// userSettings are what the commands for users read: the lifetimes say how long a change must be remembered.
func userSettings() []string {
	return []string{"LATCHKEY_DATABASE_URL", "LATCHKEY_ACCESS_TOKEN_LIFETIME", "LATCHKEY_LEEWAY"}
}

// listBatch is how many users are read at once.
const listBatch = 1_000

// userCommands returns the commands for users.
func userCommands() []command {
	return []command{usersList(), usersCreate(), usersActivate(true), usersActivate(false), usersSetPassword(), usersRoles()}
}

// userOptions returns the options of a command for users: the settings, its own, and --json.
func userOptions(own ...option) []option {
	return append(append(settings(userSettings()...), own...), option{name: "json", help: "Write JSON, for programs."})
}

func passwordOption() option {
	return option{name: "password-stdin", help: "Read the password from the first line of standard input and ask nothing."}
}

func usersList() command {
	c := command{
		name:    "users list",
		summary: "List the users, by username.",
		details: "A line each: id, username, e-mail address, flags and roles.",
		options: userOptions(
			option{name: "search", placeholder: "TEXT", help: "Only users whose username, e-mail address or name begins with it; in the order of what was found."},
			option{name: "role", placeholder: "NAME", help: "Only users who have the role."},
			option{name: "active", help: "Only users who may sign in; with --active=false those who may not."},
		),
	}
	c.run = func(ctx context.Context, env Environment, flags map[string]string) error {
		q := models.UserQuery{UserFilter: models.UserFilter{Search: strings.TrimSpace(flags["search"]), Role: flags["role"]}, Limit: listBatch}
		if q.Search != "" {
			q.Order = models.ByMatch
		}
		if _, ok := flags["active"]; ok {
			active, err := c.truth(flags, "active")
			if err != nil {
				return err
			}
			q.IsActive = &active
		}
		return c.withUsers(ctx, env, flags, func(ctx context.Context, s *auth.Service, p *userPrinter) error {
			return listUsers(ctx, s, q, p)
		})
	}
	return c
}

// listUsers prints the users page by page.
func listUsers(ctx context.Context, s *auth.Service, q models.UserQuery, p *userPrinter) error {
	p.begin()
	for {
		page, err := s.Users(ctx, q)
		if err != nil {
			return err
		}
		ids := make([]int64, len(page.Users))
		for i, u := range page.Users {
			ids[i] = u.ID
		}
		roles, err := s.RolesOf(ctx, ids)
		if err != nil {
			return err
		}
		for _, u := range page.Users {
			u.Roles = roles[u.ID]
			if err := p.print(u); err != nil {
				return err
			}
		}
		if !page.More {
			return p.end()
		}
		q.After = &page.End
	}
}

func usersCreate() command {
	c := command{
		name:    "users create",
		summary: "Make a user.",
		details: "The password is asked for twice, unseen, unless it comes from standard input. It is never an argument: others " +
			"could see it there.",
		options: userOptions(
			option{name: "username", placeholder: "NAME", help: "The username."},
			option{name: "email", placeholder: "ADDRESS", help: "The e-mail address."},
			option{name: "first-name", placeholder: "NAME", help: "The given name."},
			option{name: "last-name", placeholder: "NAME", help: "The family name."},
			option{name: "roles", placeholder: "NAME,…", help: "The roles, with commas between them."},
			option{name: "staff", help: "Of the staff."},
			option{name: "superuser", help: "With every permission."},
			passwordOption(),
		),
	}
	c.run = func(ctx context.Context, env Environment, flags map[string]string) error {
		form := auth.UserForm{
			Username: flags["username"], Email: flags["email"], FirstName: flags["first-name"], LastName: flags["last-name"],
			Roles: names(flags["roles"]),
		}
		var err error
		if form.IsStaff, err = c.truth(flags, "staff"); err != nil {
			return err
		}
		if form.IsSuperuser, err = c.truth(flags, "superuser"); err != nil {
			return err
		}
		if form.Username == "" {
			return c.usage("--username is needed")
		}
		if form.Password, err = c.password(ctx, env, flags); err != nil {
			return err
		}
		return c.withUsers(ctx, env, flags, func(ctx context.Context, s *auth.Service, p *userPrinter) error {
			user, err := s.CreateUser(ctx, form)
			if err != nil {
				return fmt.Errorf("no user was made: %w", err)
			}
			return p.only(user)
		})
	}
	return c
}

func usersActivate(active bool) command {
	c := command{
		name: "users activate", argument: "USERNAME", options: userOptions(),
		summary: "Let a user sign in again.",
	}
	if !active {
		c.name, c.summary = "users deactivate", "Keep a user from signing in, and end every session."
		c.details = "Running servers refuse the user's tokens at once. The last active superuser stays."
	}
	c.run = func(ctx context.Context, env Environment, flags map[string]string) error {
		return c.changeUser(ctx, env, flags, auth.UserChange{IsActive: auth.Some(active)})
	}
	return c
}

func usersSetPassword() command {
	c := command{
		name: "users set-password", argument: "USERNAME",
		summary: "Give a user a new password, and end every session.",
		details: "The password is asked for twice, unseen, unless it comes from standard input. It is never an argument: others " +
			"could see it there.",
		options: userOptions(passwordOption()),
	}
	c.run = func(ctx context.Context, env Environment, flags map[string]string) error {
		plain, err := c.password(ctx, env, flags)
		if err != nil {
			return err
		}
		return c.changeUser(ctx, env, flags, auth.UserChange{Password: auth.Some(plain)})
	}
	return c
}

func usersRoles() command {
	c := command{
		name: "users roles", argument: "USERNAME",
		summary: "Show a user's roles, or set them.",
		details: "Access tokens with other roles are refused by running servers at once; a refresh gives one with the new.",
		options: userOptions(option{name: "set", placeholder: "NAME,…", help: "All the roles, with commas between them; empty: none."}),
	}
	c.run = func(ctx context.Context, env Environment, flags map[string]string) error {
		change := auth.UserChange{}
		if list, ok := flags["set"]; ok {
			change.Roles = auth.Some(names(list))
		}
		return c.changeUser(ctx, env, flags, change)
	}
	return c
}

// names splits a list of names.
func names(list string) []string {
	var all []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			all = append(all, name)
		}
	}
	return all
}

// password returns the password that is piped in, or typed twice.
func (c command) password(ctx context.Context, env Environment, flags map[string]string) (string, error) {
	piped, err := c.truth(flags, "password-stdin")
	if err != nil {
		return "", err
	}
	if piped {
		return firstLine(env.Stdin)
	}
	t, err := openTerminal(env.Stdin, env.Stdout)
	if err != nil {
		return "", errors.New("there is no terminal to ask at: use --password-stdin")
	}
	defer t.close()
	return askPassword(ctx, t)
}

// changeUser changes the user that the command is about, and prints the user.
func (c command) changeUser(ctx context.Context, env Environment, flags map[string]string, change auth.UserChange) error {
	return c.withUsers(ctx, env, flags, func(ctx context.Context, s *auth.Service, p *userPrinter) error {
		user, err := s.UserNamed(ctx, flags[c.argument])
		if refusal, ok := errors.AsType[*fault.Error](err); ok && refusal.Kind == fault.KindNotFound {
			return errors.New("there is no user of that name; `latchkey users list` lists them")
		}
		if err != nil {
			return err
		}
		if user, err = s.UpdateUser(ctx, user.ID, change); err != nil {
			return fmt.Errorf("nothing was changed: %w", err)
		}
		return p.only(user)
	})
}

// withUsers opens the database and calls use, as the operator.
func (c command) withUsers(ctx context.Context, env Environment, flags map[string]string, use func(context.Context, *auth.Service, *userPrinter) error) error {
	asJSON, err := c.truth(flags, "json")
	if err != nil {
		return err
	}
	s, err := config.Load(env.Variables, flags, append(userSettings(),
		"LATCHKEY_SECRET_KEY", "LATCHKEY_SECRET_KEY_FALLBACKS", "LATCHKEY_ALGORITHM", "LATCHKEY_SIGNING_KEY", "LATCHKEY_SIGNING_KEY_FILE")...)
	if err != nil {
		return err
	}
	a, err := openQuietly(ctx, env, s)
	if err != nil {
		return err
	}
	defer a.Close() //nolint:errcheck // the process ends
	out := bufio.NewWriter(env.Stdout)
	err = use(auth.AsOperator(ctx), a.Auth, &userPrinter{out: out, asJSON: asJSON})
	return errors.Join(err, a.Recorder.Flush(context.WithoutCancel(ctx)), out.Flush())
}

// userPrinter prints users: a line each, or as JSON with the names of the GraphQL schema.
type userPrinter struct {
	out    io.Writer
	asJSON bool
	some   bool // one was printed
}

// userLine is a user as JSON.
type userLine struct {
	ID          string     `json:"id"`
	Username    string     `json:"username"`
	Email       *string    `json:"email"`
	FirstName   string     `json:"firstName"`
	LastName    string     `json:"lastName"`
	IsActive    bool       `json:"isActive"`
	IsStaff     bool       `json:"isStaff"`
	IsSuperuser bool       `json:"isSuperuser"`
	Roles       []string   `json:"roles"`
	DateJoined  time.Time  `json:"dateJoined"`
	LastLogin   *time.Time `json:"lastLogin"`
}

// only prints one user, as JSON without a list around.
func (p *userPrinter) only(u models.User) error {
	if !p.asJSON {
		return p.print(u)
	}
	return json.NewEncoder(p.out).Encode(toLine(u))
}

func toLine(u models.User) userLine {
	return userLine{
		ID: u.IDText(), Username: u.Username, Email: u.EmailOrNil(), FirstName: u.FirstName, LastName: u.LastName,
		IsActive: u.IsActive, IsStaff: u.IsStaff, IsSuperuser: u.IsSuperuser, Roles: u.RoleNames(),
		DateJoined: u.DateJoined, LastLogin: u.LastLogin,
	}
}

// begin begins a list.
func (p *userPrinter) begin() {
	if p.asJSON {
		fmt.Fprint(p.out, "[")
	}
}

// end ends a list.
func (p *userPrinter) end() error {
	if p.asJSON {
		fmt.Fprintln(p.out, "]")
	}
	return nil
}

// print prints a user of a list.
func (p *userPrinter) print(u models.User) error {
	if p.asJSON {
		line, err := json.Marshal(toLine(u))
		if err != nil {
			return fmt.Errorf("write user: %w", err)
		}
		between := ""
		if p.some {
			between = ",\n"
		}
		p.some = true
		fmt.Fprintf(p.out, "%s%s", between, line)
		return nil
	}
	var marks []string
	for _, mark := range []struct {
		text string
		set  bool
	}{{"inactive", !u.IsActive}, {"staff", u.IsStaff}, {"superuser", u.IsSuperuser}} {
		if mark.set {
			marks = append(marks, mark.text)
		}
	}
	columns := []string{u.IDText(), visible(u.Username), visible(u.Email), strings.Join(marks, ","), visible(strings.Join(u.RoleNames(), ","))}
	fmt.Fprintln(p.out, strings.TrimRight(strings.Join(columns, "\t"), "\t"))
	return nil
}

// visible returns the text, in quotes where it has something that a terminal would obey or not show.
func visible(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}
