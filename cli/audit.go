package cli

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/app"
	"latchkey/auth"
	"latchkey/auth/chain"
	"latchkey/config"
	"latchkey/models"
)

// auditBatch is how many events are read at once, and defaultEvents how many are listed where nothing else is said.
const (
	auditBatch    = 1_000
	defaultEvents = 50
)

func auditVerify() command {
	c := command{
		name:    "audit verify",
		summary: "Verify that no row of the audit was changed, inserted or removed.",
		details: "It names the first row that is not as the server wrote it. It needs the secret of the server, writes nothing, " +
			"and may run beside servers. docs/audit.md tells what it proves.",
		options: append(settings("LATCHKEY_DATABASE_URL", "LATCHKEY_SECRET_KEY", "LATCHKEY_SECRET_KEY_FALLBACKS"), option{
			name: "head", placeholder: "ROW:HASH",
			help: "Where an earlier run said that the chain ends: it must still be in it. So it is found, too, when an older state " +
				"of the whole is put back.",
		}),
	}
	c.run = func(ctx context.Context, env Environment, flags map[string]string) error {
		noted, err := c.mark(flags)
		if err != nil {
			return err
		}
		return withAudit(ctx, env, flags, func(a *app.Audit) error {
			report, err := a.Verify(ctx, noted)
			if broken, ok := chain.IsBroken(err); ok {
				return fmt.Errorf("the audit is not as it was written: %w", broken)
			}
			if err != nil {
				return err
			}
			printReport(env, report, noted)
			return nil
		})
	}
	return c
}

// mark reads --head.
func (c command) mark(flags map[string]string) (*chain.Mark, error) {
	text, given := flags["head"]
	if !given {
		return nil, nil //nolint:nilnil // none is noted
	}
	row, hash, _ := strings.Cut(text, ":")
	seq, err := strconv.ParseInt(row, 10, 64)
	sum, err2 := hex.DecodeString(hash)
	if err != nil || err2 != nil || seq < 0 || len(sum) != chain.KeySize {
		return nil, c.usage("--head is what `latchkey audit verify` printed, a number, a colon and 64 hex digits")
	}
	return &chain.Mark{Seq: seq, Hash: sum}, nil
}

func printReport(env Environment, r auth.ChainReport, noted *chain.Mark) {
	out := env.Stdout
	if !r.Begun {
		fmt.Fprintln(out, "there is no chain yet: the server begins it at its next start")
	} else {
		fmt.Fprintf(out, "good: %d rows are as they were written\n", r.Rows)
		fmt.Fprintln(out, begun(r))
	}
	if r.Before > 0 {
		fmt.Fprintf(out, "%d rows are from before the chain; nothing can be said of them\n", r.Before)
	}
	if r.Gone > 0 {
		fmt.Fprintf(out, "%d rows of the chain were deleted when their time was over\n", r.Gone)
	}
	if noted != nil && !r.Passed {
		why := "was deleted since, when its time was over"
		if r.NotedFormer {
			why = "is in a chain before this one"
		}
		fmt.Fprintf(out, "row %d of --head %s: it could not be compared\n", noted.Seq, why)
	}
	if r.Begun {
		fmt.Fprintf(out, "head %d:%x\n", r.End.Seq, r.End.Hash)
	}
}

// begun says when the chain began, and why.
func begun(r auth.ChainReport) string {
	text := "the chain began at " + r.BegunAt.Format(time.RFC3339)
	if r.BegunAt.IsZero() {
		text = "an older version began the chain, and did not write down when"
	}
	switch {
	case r.Why != "":
		text += ", by `audit restart`: in the one before, " + visible(r.Why)
	case r.Former:
		text += ", by `audit restart`; the row that says why was deleted when its time was over"
	}
	return text
}

func auditRestart() command {
	c := command{
		name:    "audit restart",
		summary: "Begin a new chain of the audit, where the present one is broken.",
		details: "It verifies first, and does nothing where all is as it was written. The rows there are stay as they are; the " +
			"first row of the new chain, audit_restarted, says what was wrong. It needs the secret of the server, and may run " +
			"beside servers. docs/audit.md tells what to look at before.",
		options: settings("LATCHKEY_DATABASE_URL", "LATCHKEY_SECRET_KEY", "LATCHKEY_SECRET_KEY_FALLBACKS"),
	}
	c.run = func(ctx context.Context, env Environment, flags map[string]string) error {
		return withAudit(ctx, env, flags, func(a *app.Audit) error {
			done, err := a.Restart(ctx)
			if errors.Is(err, auth.ErrChainWhole) {
				return fmt.Errorf("nothing to do: %w", err)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(env.Stdout, "wrong: %s\n", visible(done.Wrong))
			fmt.Fprintf(env.Stdout, "a new chain begins at row %d, event %d, which says so; the rows before stay as they are\n", done.Begun.Seq, done.Begun.ID)
			if done.Replaced {
				fmt.Fprintln(env.Stdout, "it has a new key: that of the one before was lost with its row")
			}
			fmt.Fprintf(env.Stdout, "head %d:%x\n", done.Begun.Seq, done.Begun.Hash)
			return nil
		})
	}
	return c
}

func auditList() command {
	c := command{
		name:    "audit list",
		summary: "List what happened, the newest first.",
		details: "A line each: when, what, who did it, to whom, the address, and what else there is to say. A TIME is written as in " +
			"2026-01-31, 2026-01-31T12:00:00Z, or as how long ago, as in 24h.",
		options: append(
			settings("LATCHKEY_DATABASE_URL"),
			option{name: "type", placeholder: "NAME,…", help: "Only events of these types, as docs/audit.md names them."},
			option{name: "user", placeholder: "NAME", help: "Only what was done to the user of this name; the id, where the user is gone."},
			option{name: "actor", placeholder: "NAME", help: "Only what the user of this name did; the id, where the user is gone."},
			option{name: "since", placeholder: "TIME", help: "Only from then on."},
			option{name: "until", placeholder: "TIME", help: "Only before."},
			option{name: "limit", placeholder: "NUMBER", help: "How many at most, 0: all. Without it 50."},
			option{name: "json", help: "Write JSON, for programs."},
		),
	}
	c.run = func(ctx context.Context, env Environment, flags map[string]string) error {
		asJSON, err := c.truth(flags, "json")
		if err != nil {
			return err
		}
		q, limit, err := c.eventQuery(flags, time.Now()) //nolint:forbidigo // the clock of the process
		if err != nil {
			return err
		}
		return withAudit(ctx, env, flags, func(a *app.Audit) error {
			for name, to := range map[string]*int64{"user": &q.SubjectID, "actor": &q.ActorID} {
				if text, given := flags[name]; given {
					if *to, err = a.UserID(ctx, text); err != nil {
						return err
					}
				}
			}
			out := bufio.NewWriter(env.Stdout)
			return errors.Join(listEvents(ctx, a, q, limit, &eventPrinter{out: out, asJSON: asJSON}), out.Flush())
		})
	}
	return c
}

// eventQuery reads the filters that need no database, and how many events are wanted; 0: all.
func (c command) eventQuery(flags map[string]string, now time.Time) (q models.EventQuery, limit int, err error) {
	q.Types = names(flags["type"])
	for _, name := range q.Types {
		if !slices.Contains(auth.EventTypes(), auth.EventType(name)) {
			return q, 0, c.usage("--type names a type that there is not")
		}
	}
	for name, to := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if text, given := flags[name]; given {
			if *to, err = parseTime(text, now); err != nil {
				return q, 0, c.usage("--%s is a time, as in 2026-01-31, 2026-01-31T12:00:00Z or 24h", name)
			}
		}
	}
	limit = defaultEvents
	if text, given := flags["limit"]; given {
		if limit, err = strconv.Atoi(text); err != nil || limit < 0 {
			return q, 0, c.usage("--limit is a number")
		}
	}
	return q, limit, nil
}

// parseTime reads a moment, a day, or how long ago.
func parseTime(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago).UTC(), nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	return at.UTC(), err
}

// listEvents prints the events page by page.
func listEvents(ctx context.Context, a *app.Audit, q models.EventQuery, limit int, p *eventPrinter) error {
	p.begin()
	for left := limit; ; {
		q.Limit = auditBatch
		if limit > 0 {
			q.Limit = min(auditBatch, left)
		}
		page, err := a.Events(ctx, q)
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			if err := p.print(e); err != nil {
				return err
			}
		}
		if left -= len(page.Events); !page.More || limit > 0 && left == 0 {
			return p.end()
		}
		q.After = &page.End
	}
}

// eventPrinter prints events: a line each, or as JSON.
type eventPrinter struct {
	out    *bufio.Writer
	asJSON bool
	some   bool // one was printed
}

// eventLine is an event as JSON.
type eventLine struct {
	ID          string         `json:"id"`
	At          time.Time      `json:"at"`
	Type        string         `json:"type"`
	ActorID     *string        `json:"actorId"`
	ActorName   *string        `json:"actorName"`
	SubjectID   *string        `json:"subjectId"`
	SubjectName *string        `json:"subjectName"`
	SessionID   *string        `json:"sessionId"`
	IPAddress   *string        `json:"ipAddress"`
	UserAgent   *string        `json:"userAgent"`
	Detail      map[string]any `json:"detail"`
}

func (p *eventPrinter) begin() {
	if p.asJSON {
		fmt.Fprint(p.out, "[")
	}
}

func (p *eventPrinter) end() error {
	if p.asJSON {
		fmt.Fprintln(p.out, "]")
	}
	return nil
}

func (p *eventPrinter) print(e models.Event) error {
	if !p.asJSON {
		detail := ""
		if len(e.Detail) > 0 {
			text, err := json.Marshal(e.Detail)
			if err != nil {
				return fmt.Errorf("write event: %w", err)
			}
			detail = string(text)
		}
		columns := []string{
			e.At.UTC().Format(time.RFC3339), e.Type, who(e.ActorID, e.ActorName), who(e.SubjectID, e.SubjectName), visible(e.Address), visible(detail),
		}
		fmt.Fprintln(p.out, strings.TrimRight(strings.Join(columns, "\t"), "\t"))
		return nil
	}
	line, err := json.Marshal(eventLine{
		ID: strconv.FormatInt(e.ID, 10), At: e.At, Type: e.Type, ActorID: idText(e.ActorID), ActorName: given(e.ActorName),
		SubjectID: idText(e.SubjectID), SubjectName: given(e.SubjectName), SessionID: given(e.SessionID),
		IPAddress: given(e.Address), UserAgent: given(e.UserAgent), Detail: e.Detail,
	})
	if err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	if p.some {
		fmt.Fprint(p.out, ",\n")
	}
	p.some = true
	_, err = p.out.Write(line)
	return err
}

// who is a user in a line: the name, or the id in front of which there is a #; - for nobody.
func who(id int64, name string) string {
	switch {
	case id == 0:
		return "-"
	case name == "":
		return "#" + strconv.FormatInt(id, 10)
	default:
		return visible(name)
	}
}

// idText returns an id as text; nil where there is none.
func idText(id int64) *string {
	if id == 0 {
		return nil
	}
	return given(strconv.FormatInt(id, 10))
}

// given returns a text; nil where it is empty.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// withAudit opens the database to look at its events.
func withAudit(ctx context.Context, env Environment, flags map[string]string, use func(*app.Audit) error) error {
	s, err := config.Load(env.Variables, flags, "LATCHKEY_DATABASE_URL", "LATCHKEY_SECRET_KEY", "LATCHKEY_SECRET_KEY_FALLBACKS")
	if err != nil {
		return err
	}
	a, err := app.OpenAudit(ctx, s)
	if err != nil {
		return explained(err, s)
	}
	defer a.Close() //nolint:errcheck // it was only read
	return use(a)
}
