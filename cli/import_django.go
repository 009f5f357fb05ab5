package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/app"
	"latchkey/config"
	"latchkey/django"
	"latchkey/store"
)

// refusedLines is how many refused records have a line; the others are counted.
const refusedLines = 100

func importDjango() command {
	c := command{
		name:     "import-django",
		argument: "FILE",
		summary:  "Bring in users, groups and permissions that Django's dumpdata wrote.",
		details: "FILE is what `manage.py dumpdata auth.user auth.group auth.permission contenttypes` writes, as JSON or " +
			"JSON Lines; - is standard input. Users keep their ids and passwords, groups become roles. It may be run " +
			"again: who is here is updated. Where a record cannot be imported nothing is written, unless it is to keep " +
			"going. docs/import-django.md tells more.",
		options: append(settings("LATCHKEY_DATABASE_URL", "LATCHKEY_ACCESS_TOKEN_LIFETIME", "LATCHKEY_LEEWAY"),
			option{name: "dry-run", help: "Tell what would happen and write nothing."},
			option{name: "keep-going", help: "Import the other records where some cannot be. The exit status is 1 all the same."},
			option{name: "overwrite-passwords", help: "Take the dump's password also where the user signed in here since, or changed it here."},
			option{name: "user-model", placeholder: "APP.MODEL", help: "The user model, where it is not auth.user."},
			option{name: "username-field", placeholder: "NAME", help: "The field that users sign in with, where it is not username."},
		),
	}
	c.run = func(ctx context.Context, env Environment, flags map[string]string) error {
		o, err := c.importOptions(flags)
		if err != nil {
			return err
		}
		o.Settings, err = config.Load(env.Variables, flags,
			"LATCHKEY_DATABASE_URL", "LATCHKEY_ACCESS_TOKEN_LIFETIME", "LATCHKEY_LEEWAY",
			"LATCHKEY_SECRET_KEY", "LATCHKEY_SECRET_KEY_FALLBACKS") // which the audit is signed under
		if err != nil {
			return err
		}
		return runImport(ctx, env, flags["FILE"], o)
	}
	return c
}

// importOptions reads the command's own flags.
func (c command) importOptions(flags map[string]string) (o app.DjangoImport, err error) {
	for name, to := range map[string]*bool{
		"dry-run": &o.DryRun, "keep-going": &o.KeepGoing, "overwrite-passwords": &o.OverwritePasswords,
	} {
		if *to, err = c.truth(flags, name); err != nil {
			return o, err
		}
	}
	o.Reader = django.Options{UserModel: flags["user-model"], UsernameField: flags["username-field"]}
	label, model, _ := strings.Cut(o.Reader.UserModel, ".")
	if _, given := flags["user-model"]; given && (label == "" || model == "" || strings.Contains(model, ".")) {
		return o, c.usage("--user-model is written as in accounts.user")
	}
	return o, nil
}

func runImport(ctx context.Context, env Environment, path string, o app.DjangoImport) error {
	dump, size, err := openDump(ctx, env.Stdin, path)
	if err != nil {
		return err
	}
	defer dump.Close() //nolint:errcheck // it was only read
	db, done, err := openForImport(ctx, o.Settings, o.DryRun)
	if err != nil {
		return err
	}
	defer done()
	o.Store, o.Dump = db, dump
	o.Now = time.Now
	o.Logger = slog.New(slog.NewTextHandler(env.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	screen := importScreen{env: env, size: size, terminal: isTerminal(env.Stderr)}
	o.Refused, o.Progress = screen.refused, screen.progress
	report, err := app.ImportDjango(ctx, o)
	screen.close()
	if ctx.Err() != nil {
		err = fmt.Errorf("it was called off: %w", err)
	}
	return screen.report(report, o, err)
}

// openDump opens the file, or a copy of what cannot be read more than once, which is gone when it is closed.
func openDump(ctx context.Context, stdin *os.File, path string) (dump *os.File, size int64, err error) {
	in := stdin
	if path != "-" {
		if in, err = os.Open(path); err != nil {
			return nil, 0, fmt.Errorf("the dump cannot be read: %w", err)
		}
	}
	info, err := in.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("it is a folder")
	}
	if err == nil && !info.Mode().IsRegular() {
		dump, size, err = spool(ctx, in)
		if path != "-" {
			err = errors.Join(err, in.Close())
		}
		in, info = dump, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("the dump cannot be read: %w", err)
	}
	if info != nil {
		size = info.Size()
	}
	return in, size, nil
}

// spool copies a stream into a file that nobody else can read, and that has no name any more when this returns.
func spool(ctx context.Context, in io.Reader) (*os.File, int64, error) {
	f, err := os.CreateTemp("", "latchkey-import-*") // mode 0600
	if err != nil {
		return nil, 0, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	type copied struct {
		size int64
		err  error
	}
	done := make(chan copied, 1)
	go func() { // nothing can call a read from a pipe off
		n, err := io.Copy(f, in)
		done <- copied{n, err}
	}()
	select {
	case <-ctx.Done():
		return nil, 0, ctx.Err() // the process ends, and the file with it
	case c := <-done:
		if c.err != nil {
			return nil, 0, errors.Join(c.err, f.Close())
		}
		return f, c.size, nil
	}
}

// openForImport opens the database, at the newest schema version. A dry run changes none, and takes an empty one where
// there is no SQLite file yet.
func openForImport(ctx context.Context, s *config.Settings, dry bool) (db *store.Store, done func(), err error) {
	done = func() {}
	path, ok := strings.CutPrefix(s.DatabaseURL, "sqlite:")
	if _, err := os.Stat(path); dry && ok && errors.Is(err, fs.ErrNotExist) {
		dir, err := os.MkdirTemp("", "latchkey-import-*")
		if err != nil {
			return nil, done, err
		}
		done = func() { _ = os.RemoveAll(dir) } // it is in the folder for what may be removed
		empty := *s
		empty.DatabaseURL = "sqlite:" + filepath.Join(dir, "empty.db")
		s, dry = &empty, false
	}
	if db, err = app.OpenStore(ctx, s); err != nil {
		done()
		return nil, done, explained(err, s)
	}
	remove := done
	done = func() { _ = db.Close(); remove() } // the process ends
	if dry {
		if err = db.Ready(ctx); err != nil {
			err = fmt.Errorf("the database is not at the schema version of this program, run `latchkey migrate` first: %w", err)
		}
	} else {
		_, err = db.Migrate(ctx)
	}
	if err != nil {
		done()
		return nil, func() {}, err
	}
	return db, done, nil
}

// importScreen tells a person how the import goes.
type importScreen struct {
	env      Environment
	size     int64 // of the dump
	terminal bool
	lines    int // of refused records
	shown    time.Time
	bar      string
	phase    string
	began    time.Time
}

// refused tells of a record that cannot be imported.
func (s *importScreen) refused(err error) {
	s.lines++
	if s.lines <= refusedLines {
		s.clear()
		fmt.Fprintln(s.env.Stderr, err)
	}
}

// progress draws the bar, some times a second.
func (s *importScreen) progress(phase string, read int64, users int) {
	if !s.terminal {
		return
	}
	now := time.Now() //nolint:forbidigo // the clock of the process
	if phase != s.phase {
		s.phase, s.began = phase, now
	} else if now.Sub(s.shown) < 100*time.Millisecond && read < s.size {
		return
	}
	s.shown = now
	const width = 30
	part := min(float64(read)/float64(max(s.size, 1)), 1)
	full := int(part * width)
	s.clear()
	s.bar = fmt.Sprintf("%-8s [%s%s] %3.0f %%  %d users", phase,
		strings.Repeat("#", full), strings.Repeat(".", width-full), part*100, users)
	if passed := now.Sub(s.began).Seconds(); passed >= 1 {
		s.bar += fmt.Sprintf("  %.0f/s", float64(users)/passed)
	}
	fmt.Fprint(s.env.Stderr, s.bar)
}

// clear takes the bar away.
func (s *importScreen) clear() {
	if s.bar != "" {
		fmt.Fprint(s.env.Stderr, "\r\x1b[K") // ECMA-48: erase in line
		s.bar = ""
	}
}

func (s *importScreen) close() {
	s.clear()
	if more := s.lines - refusedLines; more > 0 {
		fmt.Fprintf(s.env.Stderr, "and %s more\n", records(more))
	}
}

// report prints what was done, and what to know about it. It returns why the command fails, where it does.
func (s *importScreen) report(r app.DjangoReport, o app.DjangoImport, err error) error {
	refused := errors.Is(err, app.ErrRefused)
	out := s.env.Stdout
	if o.DryRun && (err == nil || refused) {
		fmt.Fprintln(out, "dry run: nothing was written")
	} else if err != nil && r.Users == (app.DjangoCounts{}) || refused {
		out = io.Discard
	}
	for _, c := range []struct {
		name string
		app.DjangoCounts
	}{{"users", r.Users}, {"roles", r.Roles}} {
		fmt.Fprintf(out, "%s: %d new, %d updated, %d unchanged\n", c.name, c.New, c.Updated, c.Unchanged)
	}
	fmt.Fprintf(out, "superusers: %d new, %d no longer\n", r.Superusers.New, r.Superusers.Gone)
	if err != nil && !refused {
		return err
	}
	s.warn(r)
	switch {
	case r.Refused == 0:
		return nil
	case o.DryRun:
		return fmt.Errorf("%s cannot be imported, see above: mend the dump, or import the others with --keep-going", records(r.Refused))
	case o.KeepGoing:
		return fmt.Errorf("everything but %s was imported, see above: mend the dump, and run it again", records(r.Refused))
	default:
		return fmt.Errorf("nothing was imported, for %s cannot be, see above: mend the dump, or import the others with --keep-going", records(r.Refused))
	}
}

func records(n int) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}

// warn tells what an operator may not expect.
func (s *importScreen) warn(r app.DjangoReport) {
	warn := func(n int, format string, args ...any) {
		if n > 0 {
			fmt.Fprintf(s.env.Stderr, "warning: "+format+"\n", args...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Unreadable)) {
		n := r.Unreadable[name]
		warn(n, "users whose password has a form that cannot be read (%s), so that they need a new one: %d", name, n)
	}
	warn(r.PasswordsKept, "users who keep the password that they set or used here (--overwrite-passwords takes the dump's): %d", r.PasswordsKept)
	warn(r.Bare, "permissions without the name of an app in front, for the dump does not have their content type: %d", r.Bare)
	ignored, names := 0, []string{}
	for _, name := range slices.Sorted(maps.Keys(r.Ignored)) {
		ignored += r.Ignored[name]
		if name != "" {
			names = append(names, strconv.Quote(name))
		}
	}
	more := ""
	if len(names) > 5 {
		names, more = names[:5], ", …"
	}
	warn(ignored, "records of other models that were ignored (%s%s): %d", strings.Join(names, ", "), more, ignored)
	if r.Users.New+r.Users.Updated+r.Users.Unchanged+r.Users.Refused == 0 && ignored > 0 {
		warn(1, "the dump has no user; where users are of another model than auth.user, --user-model names it")
	}
}
