package config_test

import (
	"bytes"
	"flag"
	"os"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"

	"latchkey/config"
)

var update = flag.Bool("update", false, "rewrite docs/settings.md")

func TestThePageOfSettingsIsPrintedFromTheTable(t *testing.T) {
	const path = "../docs/settings.md"
	page, err := template.ParseFiles("testdata/settings.md.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := page.Execute(&want, config.Reference()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("docs/settings.md is not what the table says; `go test ./config -update` prints it anew (-want +got):\n%s", diff)
	}
}
