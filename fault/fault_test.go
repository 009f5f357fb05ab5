package fault_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/fault"
)

var update = flag.Bool("update", false, "rewrite docs/errors.md")

func TestEveryKindHasARow(t *testing.T) {
	for _, k := range fault.Kinds() {
		row := fault.Lookup(k)
		if row.Status == 0 || row.Message == "" || row.When == "" {
			t.Errorf("%s has an incomplete row: %+v", k, row)
		}
		if k != fault.KindInternal && row == fault.Lookup(fault.KindInternal) {
			t.Errorf("%s has no row of its own", k)
		}
	}
	if got := len(fault.Kinds()); got != fault.Rows() {
		t.Errorf("Kinds lists %d kinds, the table has %d", got, fault.Rows())
	}
}

func TestTheReferenceIsPrintedFromTheTable(t *testing.T) {
	const path = "../docs/errors.md"
	want := fault.Reference()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("docs/errors.md is not what the table says; `make generate` prints it anew (%v)", err)
	}
	for _, p := range fault.TokenProblems() {
		if !strings.Contains(want, "| "+string(p)+" |") {
			t.Errorf("%s is not in the reference", p)
		}
	}
}

func TestWhatIsUnclassifiedIsInternal(t *testing.T) {
	cause := errors.New("dial tcp 10.1.2.3:5432: password authentication failed")
	got := fault.From(fmt.Errorf("read user: %w", cause))
	if got.Kind != fault.KindInternal || strings.Contains(got.PublicMessage(), "10.1.2.3") || strings.Contains(got.Error(), "10.1.2.3") {
		t.Errorf("got %v %q", got.Kind, got.PublicMessage())
	}
	if !errors.Is(got, cause) {
		t.Error("the cause is lost to the log")
	}
	if fault.From(nil) != nil {
		t.Error("no error became one")
	}
}

func TestAWrappedFaultStaysWhatItIs(t *testing.T) {
	wrapped := fmt.Errorf("refresh: %w", fault.TokenNotValid(fault.TokenReused, ""))
	got := fault.From(wrapped)
	if got.Kind != fault.KindTokenNotValid || got.Reason != fault.TokenReused {
		t.Errorf("got %+v", got)
	}
	if !errors.Is(wrapped, fault.New(fault.KindTokenNotValid)) || errors.Is(wrapped, fault.New(fault.KindForbidden)) {
		t.Error("errors.Is does not go by the kind")
	}
}

func TestBecauseLeavesTheErrorAsItWas(t *testing.T) {
	shared := fault.BadUserInput("No.", "a", "b")
	caused := shared.Because(errors.New("made up"))
	caused.Fields[0] = "changed"
	if errors.Unwrap(shared) != nil || !slices.Equal(shared.Fields, []string{"a", "b"}) {
		t.Errorf("the original was changed: %+v", shared)
	}
}

func TestConstructorsFillInTheirKind(t *testing.T) {
	for _, c := range []struct {
		err     *fault.Error
		kind    fault.Kind
		message string
	}{
		{fault.Unauthenticated("", ""), fault.KindUnauthenticated, "Authentication credentials were not provided."},
		{fault.TokenNotValid(fault.TokenExpired, "Token is expired"), fault.KindTokenNotValid, "Token is expired"},
		{fault.Forbidden("users:read"), fault.KindForbidden, "You do not have permission to perform this action."},
		{fault.BadUserInput("No.", "a"), fault.KindBadUserInput, "No."},
		{fault.RateLimited(time.Second), fault.KindRateLimited, fault.Lookup(fault.KindRateLimited).Message},
	} {
		if c.err.Kind != c.kind || c.err.PublicMessage() != c.message {
			t.Errorf("got %s %q, want %s %q", c.err.Kind, c.err.PublicMessage(), c.kind, c.message)
		}
	}
}
