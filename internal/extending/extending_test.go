// Package extending_test does what docs/extending.md says: it extends a copy of this repository and tests that.
package extending_test

import (
	"bytes"
	"database/sql"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

const root = "../.."

// A block of the guide that begins with the name of a file.
type block struct{ language, file, content string }

// blocksOf returns the blocks of a section of the guide, and those of shell.
func blocksOf(t *testing.T, section string) (files []block, shell []string) {
	t.Helper()
	guide, err := os.ReadFile(filepath.Join(root, "docs/extending.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(guide), "\n## "+section+"\n")
	if !found {
		t.Fatalf("no section %q", section)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	for _, m := range regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		if m[1] == "sh" {
			shell = append(shell, strings.Split(strings.TrimSpace(m[2]), "\n")...)
			continue
		}
		file, content, _ := strings.Cut(m[2], "\n")
		files = append(files, block{m[1], file, content})
	}
	return files, shell
}

// What the guide adds to this server works on both databases, keeps the rules of the house, and does not keep out what
// Latchkey itself adds later.
func TestExtendingThisServer(t *testing.T) {
	files, shell := blocksOf(t, "In this server")
	if len(files) < 10 || len(shell) < 3 {
		t.Fatalf("the guide has %d files and %d commands", len(files), len(shell))
	}
	copied := copyRepository(t)
	for _, b := range files {
		apply(t, copied, b)
	}
	for _, command := range shell {
		switch command {
		case "make generate": // of it, what the new schema needs
			run(t, copied, "go", "generate", "./graph")
			run(t, copied, "gofmt", "-l", "graph", "models", "store", "app", "notes", "internal")
		case "go run .":
			run(t, copied, "go", "build", "-o", "latchkey", ".")
			takesLaterSteps(t, copied)
		default:
			fields := strings.Fields(command)
			run(t, copied, fields[0], append(fields[1:], "-count=1")...)
		}
	}
}

// The blocks about another service are parts of the example that is built and tested.
func TestTheOtherServiceIsTheExample(t *testing.T) {
	files, _ := blocksOf(t, "In another service")
	if len(files) < 4 {
		t.Fatalf("the guide has %d blocks", len(files))
	}
	for _, b := range files {
		content, err := os.ReadFile(filepath.Join(root, b.file))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(content, []byte(b.content)) {
			t.Errorf("%s does not have\n%s", b.file, b.content)
		}
	}
}

// copyRepository returns a folder with what Go needs of the repository.
func copyRepository(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	source := os.DirFS(root)
	err := fs.WalkDir(source, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			skip := strings.HasPrefix(entry.Name(), ".") && path != "." || entry.Name() == "node_modules"
			if skip || path == "bin" || path == "data" || path == "examples" || path == "benchmarks" || path == "tools" {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, path), 0o755)
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		content, err := fs.ReadFile(source, path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, path), content, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// apply writes a new file, or changes one as the block's lines with + and - say: the others, and those with -, stand in
// it in this order, once.
func apply(t *testing.T, dir string, b block) {
	t.Helper()
	path := filepath.Join(dir, b.file)
	if b.language != "diff" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b.content), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	var before, after strings.Builder
	for line := range strings.Lines(b.content) {
		if !strings.HasPrefix(line, "+") {
			before.WriteString(line[1:])
		}
		if !strings.HasPrefix(line, "-") {
			after.WriteString(line[1:])
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(content, []byte(before.String())); n != 1 {
		t.Fatalf("%s has %d times\n%s", b.file, n, before.String())
	}
	content = bytes.Replace(content, []byte(before.String()), []byte(after.String()), 1)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// takesLaterSteps undoes the newest of Latchkey's own steps in a database that has the guide's, and has it applied anew.
func takesLaterSteps(t *testing.T, dir string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "latchkey.db")
	migrate := func(arguments ...string) string {
		command := exec.CommandContext(t.Context(), filepath.Join(dir, "latchkey"), append([]string{"migrate"}, arguments...)...)
		command.Env = append(os.Environ(), "LATCHKEY_DATABASE_URL=sqlite:"+file)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("migrate: %v\n%s", err, out)
		}
		return string(out)
	}
	if all := migrate(); !strings.Contains(all, "10001_notes.sql") {
		t.Fatalf("migrate: %s", all)
	}
	steps, err := filepath.Glob(filepath.Join(root, "store/migrations/sqlite/*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	newest := steps[len(steps)-1]
	content, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	_, undo, _ := strings.Cut(string(content), "-- +goose Down\n")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // the file is thrown away
	version := strings.TrimLeft(filepath.Base(newest)[:5], "0")
	if _, err := db.ExecContext(t.Context(), undo+";DELETE FROM goose_db_version WHERE version_id = "+version); err != nil {
		t.Fatal(err)
	}
	if again := migrate(); !strings.Contains(again, filepath.Base(newest)) {
		t.Errorf("migrate, with %s still to be applied: %s", filepath.Base(newest), again)
	}
}

func run(t *testing.T, dir, name string, arguments ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, arguments...)
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil || name == "gofmt" && len(out) > 0 {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, out)
	}
}
