package cli_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"latchkey/cli"
)

// TestTheSchemaIsTheOneThatWasReviewed keeps what clients see in one file, schema.graphql at the root, which they may
// generate their types from, and in which a change is seen.
func TestTheSchemaIsTheOneThatWasReviewed(t *testing.T) {
	const golden = "../schema.graphql"
	var got, stderr bytes.Buffer
	if status := cli.Main(t.Context(), []string{"schema"}, cli.Environment{Stdout: &got, Stderr: &stderr}); status != 0 {
		t.Fatalf("exit status %d: %s", status, &stderr)
	}
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("`make generate` takes the new schema over (-want +got):\n%s", diff)
	}
}
