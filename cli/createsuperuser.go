package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"latchkey/auth"
	"latchkey/config"
)

func createSuperuser() command {
	c := command{
		name:    "createsuperuser",
		summary: "Make a user who has every permission.",
		details: "It asks for what is not given, and for the password twice, unseen. A password is never an argument: " +
			"others could see it there. The database is made, or brought to the newest schema version, first.",
		options: append(settings("LATCHKEY_DATABASE_URL"),
			option{name: "username", placeholder: "NAME", help: "The username."},
			option{name: "email", placeholder: "ADDRESS", help: "The e-mail address; it may be empty."},
			option{name: "password-stdin", help: "Read the password from the first line of standard input and ask nothing."},
		),
	}
	c.run = func(ctx context.Context, env Environment, flags map[string]string) error {
		piped, err := c.truth(flags, "password-stdin")
		if err != nil {
			return err
		}
		if _, ok := flags["username"]; piped && !ok {
			return c.usage("with --password-stdin nothing is asked, so --username is needed")
		}
		s, err := config.Load(env.Variables, flags, "LATCHKEY_DATABASE_URL",
			"LATCHKEY_SECRET_KEY", "LATCHKEY_SECRET_KEY_FALLBACKS", "LATCHKEY_ALGORITHM", "LATCHKEY_SIGNING_KEY", "LATCHKEY_SIGNING_KEY_FILE")
		if err != nil {
			return err
		}
		form := auth.UserForm{
			Username: flags["username"], Email: flags["email"], IsStaff: true, IsSuperuser: true,
		}
		if piped {
			form.Password, err = firstLine(env.Stdin)
		} else {
			err = ask(ctx, env, flags, &form)
		}
		if err != nil {
			return err
		}
		if problems := auth.CheckUserForm(form); len(problems) > 0 { // before a database is made for it
			return fmt.Errorf("no user was made: %w", problems)
		}
		return saveSuperuser(ctx, env, s, form)
	}
	return c
}

func saveSuperuser(ctx context.Context, env Environment, s *config.Settings, form auth.UserForm) error {
	a, err := openQuietly(ctx, env, s)
	if err != nil {
		return err
	}
	defer a.Close() //nolint:errcheck // the process ends
	user, err := a.Auth.CreateUser(auth.AsOperator(ctx), form)
	if err != nil {
		return fmt.Errorf("no user was made: %w", err)
	}
	_, err = fmt.Fprintf(env.Stdout, "Superuser %s was made.\n", user.Username)
	return err
}

// firstLine reads a password that is piped in: one line, without its line end and else as it is.
func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 1<<16)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read password: %w", err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// ask fills in, at a terminal, what the flags leave open. The password is typed twice and not shown.
func ask(ctx context.Context, env Environment, flags map[string]string, form *auth.UserForm) error {
	t, err := openTerminal(env.Stdin, env.Stdout)
	if err != nil {
		return err
	}
	defer t.close()
	if _, ok := flags["username"]; !ok {
		if form.Username, err = t.ask(ctx, "Username: "); err != nil {
			return err
		}
	}
	if _, ok := flags["email"]; !ok {
		if form.Email, err = t.ask(ctx, "E-mail (may be empty): "); err != nil {
			return err
		}
	}
	form.Password, err = askPassword(ctx, t)
	return err
}

// askPassword returns the password that is typed twice.
func askPassword(ctx context.Context, t *terminal) (string, error) {
	plain, err := t.askUnseen(ctx, "Password: ")
	if err != nil {
		return "", err
	}
	again, err := t.askUnseen(ctx, "Password (again): ")
	if err != nil {
		return "", err
	}
	if plain != again {
		return "", errors.New("nothing was done: the two passwords are not the same")
	}
	return plain, nil
}
