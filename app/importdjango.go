package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"latchkey/auth"
	"latchkey/auth/password"
	"latchkey/config"
	"latchkey/django"
	"latchkey/models"
	"latchkey/store"
)

// importBatch is how many users one transaction writes: one statement, and nobody waits long for it.
const importBatch = 500

// DjangoImport is what ImportDjango is handed. All of it is required but where a comment says otherwise.
type DjangoImport struct {
	Settings *config.Settings
	Store    *store.Store
	Logger   *slog.Logger
	Now      func() time.Time
	Dump     io.ReadSeeker // is read three times
	Reader   django.Options

	DryRun             bool // find out what would happen, and write nothing
	KeepGoing          bool // import the rest, where there are records that cannot be
	OverwritePasswords bool // also those that were set or used here since an earlier import

	Refused  func(error)                               // is told of each record that cannot be imported
	Progress func(phase string, read int64, users int) // is told now and then how far it is
}

// DjangoCounts is how many users or roles became what.
type DjangoCounts struct{ New, Updated, Unchanged, Refused int }

func (c *DjangoCounts) count(change auth.ImportChange) {
	switch change {
	case auth.ImportNew:
		c.New++
	case auth.ImportUpdated:
		c.Updated++
	case auth.ImportUnchanged:
		c.Unchanged++
	case auth.ImportRefused:
		c.Refused++
	}
}

// DjangoSuperusers is how many users become superusers, and how many are one no longer.
type DjangoSuperusers struct{ New, Gone int }

func (s *DjangoSuperusers) count(change int) {
	switch change {
	case 1:
		s.New++
	case -1:
		s.Gone++
	}
}

// DjangoReport is what an import did, or in a dry run would do.
type DjangoReport struct {
	Users, Roles  DjangoCounts
	Superusers    DjangoSuperusers // of the users
	Refused       int              // records that cannot be imported, these users and roles among them
	PasswordsKept int              // that are others in the dump, and were set or used here since
	Unreadable    map[string]int   // passwords that nobody can sign in with, by the name of their algorithm
	Bare          int              // permissions without the name of an app in front
	Ignored       map[string]int   // records of other models, as django.Survey has them
}

// ErrRefused says that there are records which cannot be imported, and that nothing was written for that.
var ErrRefused = errors.New("some records cannot be imported")

// ImportDjango brings users, groups and permissions of a dump into the database. It reads the dump to the end before it
// writes anything: first by itself, then against the database. Where a record cannot be imported, nothing is written, and
// ErrRefused is returned, unless it is to keep going. It writes in batches, each whole or not at all, and can be run
// again after whatever ended it. The report is of what was written, and before that of what would be.
func ImportDjango(ctx context.Context, o DjangoImport) (DjangoReport, error) {
	a := &App{Settings: o.Settings, Store: o.Store, Logger: o.Logger, now: o.Now}
	run := djangoRun{DjangoImport: o, refused: map[int]bool{}, recorder: auth.NewRecorder(auth.RecorderOptions{
		Store: o.Store, Logger: o.Logger, Now: o.Now, ChainKey: a.chainKey,
	})}
	if err := run.look(ctx); err != nil {
		return DjangoReport{}, fmt.Errorf("nothing was imported: %w", err)
	}
	report, err := run.pass(ctx, "checking", true)
	if err != nil {
		return DjangoReport{}, fmt.Errorf("nothing was imported: %w", err)
	}
	if len(run.refused) > 0 && !o.KeepGoing {
		return report, ErrRefused
	}
	if o.DryRun {
		return report, nil
	}
	if err := run.recorder.OpenChain(ctx); err != nil { // before anything is written that would not be recorded
		return DjangoReport{}, fmt.Errorf("nothing was imported: %w", err)
	}
	report, err = run.pass(ctx, "writing", false)
	if err != nil {
		err = fmt.Errorf("%d users were imported or found unchanged before this, run it again to go on: %w",
			report.Users.New+report.Users.Updated+report.Users.Unchanged, err)
	}
	return report, errors.Join(err, run.record(context.WithoutCancel(ctx), report, err == nil))
}

type djangoRun struct {
	DjangoImport
	recorder *auth.Recorder
	survey   *django.Survey
	refused  map[int]bool // the numbers of the records that were told to be
}

// refuse tells of a record, once.
func (r *djangoRun) refuse(e *django.Error) {
	if !r.refused[e.At.Record] {
		r.refused[e.At.Record] = true
		r.Refused(e)
	}
}

// open returns a reader of the dump from its beginning, which ends with ctx.
func (r *djangoRun) open(ctx context.Context) (*django.Reader, error) {
	if _, err := r.Dump.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read the dump: %w", err)
	}
	return django.NewReader(contextReader{ctx, r.Dump}, r.Reader), nil
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context //nolint:containedctx // it stands for the reader's Read, which takes none
	in  io.Reader
}

// Read implements io.Reader.
func (r contextReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(b)
}

// look reads the dump by itself.
func (r *djangoRun) look(ctx context.Context) error {
	in, err := r.open(ctx)
	if err != nil {
		return err
	}
	r.survey, err = django.NewSurvey(in, models.Permissions(), r.refuse, func(users int) {
		r.Progress("reading", in.Offset(), users)
	})
	return err
}

// pass goes through the dump with an Importer, and writes or only looks.
func (r *djangoRun) pass(ctx context.Context, phase string, dry bool) (DjangoReport, error) {
	in, err := r.open(ctx)
	if err != nil {
		return DjangoReport{}, err
	}
	p := djangoPass{
		djangoRun: r, phase: phase, strict: !dry && !r.KeepGoing, in: in,
		report: DjangoReport{Unreadable: map[string]int{}, Bare: r.survey.Bare, Ignored: r.survey.Ignored},
		importer: auth.NewImporter(auth.ImportOptions{
			Store: r.Store, Recorder: r.recorder, Now: r.Now,
			AccessLifetime: r.Settings.AccessTokenLifetime, Leeway: r.Settings.Leeway,
			OverwritePasswords: r.OverwritePasswords, DryRun: dry,
		}),
	}
	err = p.roles(ctx)
	if err == nil {
		err = p.users(ctx)
	}
	p.report.Refused = len(r.refused)
	if errors.Is(err, auth.ErrImportRefused) {
		err = errors.New("meanwhile something was changed, so that a record cannot be imported any more")
	}
	return p.report, err
}

// djangoPass is one way through the dump.
type djangoPass struct {
	*djangoRun
	phase    string
	strict   bool
	in       *django.Reader
	importer *auth.Importer
	report   DjangoReport
	seen     int

	batch  []auth.ImportedUser
	places []django.Position // of the batch
}

func (p *djangoPass) roles(ctx context.Context) error {
	var list []models.Role
	for _, role := range p.survey.Roles() {
		list = append(list, models.Role{Name: role.Name, Permissions: role.Permissions})
	}
	outcomes, err := p.importer.Roles(ctx, list, p.strict)
	for i, o := range outcomes {
		p.report.Roles.count(o.Change)
		p.tell(p.survey.Roles()[i].At, o)
	}
	return err
}

// tell tells of what was refused.
func (p *djangoPass) tell(at django.Position, o auth.ImportOutcome) {
	if o.Change == auth.ImportRefused {
		p.refuse(&django.Error{At: at, Reason: o.Why})
	}
}

func (p *djangoPass) users(ctx context.Context) error {
	for {
		record, err := p.in.Next()
		if errors.Is(err, io.EOF) {
			return p.flush(ctx)
		}
		if e, ok := errors.AsType[*django.Error](err); ok && !e.Fatal && p.survey.Refused(e.At) {
			continue
		}
		if err != nil {
			return err
		}
		if record.User == nil || p.survey.Refused(record.At) {
			continue
		}
		if err := p.user(ctx, record); err != nil {
			return err
		}
	}
}

func (p *djangoPass) user(ctx context.Context, record django.Record) error {
	u := record.User
	roles, permissions, err := p.survey.Member(record.At, u)
	if e, ok := errors.AsType[*django.Error](err); ok {
		p.report.Users.count(auth.ImportRefused)
		p.refuse(e)
		return nil
	}
	p.places = append(p.places, record.At)
	p.batch = append(p.batch, auth.ImportedUser{
		User: models.User{
			ID: u.ID, Username: u.Username, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName,
			PasswordHash: models.Secret(u.Password), IsActive: u.IsActive, IsStaff: u.IsStaff, IsSuperuser: u.IsSuperuser,
			DateJoined: u.DateJoined, LastLogin: u.LastLogin,
		},
		Roles: roles, Permissions: permissions,
	})
	if len(p.batch) == importBatch {
		return p.flush(ctx)
	}
	return nil
}

// flush imports the batch.
func (p *djangoPass) flush(ctx context.Context) error {
	outcomes, err := p.importer.Users(ctx, p.batch, p.strict)
	if err != nil && !errors.Is(err, auth.ErrImportRefused) {
		return err
	}
	for i, o := range outcomes {
		p.tell(p.places[i], o)
		if err != nil {
			continue // nothing was written
		}
		p.report.Users.count(o.Change)
		p.report.Superusers.count(o.Superuser)
		if o.PasswordKept {
			p.report.PasswordsKept++
		} else if name, ok := algorithm(string(p.batch[i].User.PasswordHash)); !ok && o.Change != auth.ImportRefused {
			p.report.Unreadable[name]++
		}
	}
	p.seen += len(p.batch)
	p.batch, p.places = p.batch[:0], p.places[:0]
	p.Progress(p.phase, p.in.Offset(), p.seen)
	return err
}

// record records what was written.
func (r *djangoRun) record(ctx context.Context, report DjangoReport, finished bool) error {
	return auth.NewImporter(auth.ImportOptions{Recorder: r.recorder}).Record(ctx, map[string]any{
		"new": report.Users.New, "updated": report.Users.Updated, "unchanged": report.Users.Unchanged,
		"refused": report.Refused, "roles": report.Roles.New + report.Roles.Updated, "finished": finished,
	})
}

// algorithm returns the name of the algorithm of a hash, for people, and whether sign-ins can read it. It is one of those
// that Django had, and of ours: what else stands there may be anything, a password in the clear, too.
func algorithm(hash string) (name string, readable bool) {
	name, _, _ = strings.Cut(strings.TrimPrefix(hash, "$"), "$")
	switch name {
	case "argon2id", "argon2", "bcrypt", "bcrypt_sha256", "crypt", "md5", "pbkdf2_sha1", "pbkdf2_sha256", "scrypt", "sha1",
		"unsalted_md5", "unsalted_sha1":
	default:
		name = "unknown"
	}
	return name, password.Readable(hash)
}
