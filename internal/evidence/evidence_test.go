// Package evidence_test sees to it that docs/security.md says 'yes' only where it names tests, and that they are there.
package evidence_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

var (
	goTest     = regexp.MustCompile("`((?:Test|Fuzz)\\w+)`")
	clientTest = regexp.MustCompile("`([\\w-]+\\.test\\.mjs)` \"([^\"]+)\"")
	definition = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
)

// tests returns the names of all tests in Go, and the texts of all tests with real clients by their file.
func tests(t *testing.T) (names map[string]bool, files map[string]string) {
	t.Helper()
	names, files = map[string]bool{}, map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || strings.HasPrefix(entry.Name(), ".") && path != root) {
			return fs.SkipDir
		}
		isGo := strings.HasSuffix(path, "_test.go")
		if !isGo && !strings.HasSuffix(path, ".test.mjs") {
			return nil
		}
		content, err := os.ReadFile(path)
		if isGo {
			for _, m := range definition.FindAllStringSubmatch(string(content), -1) {
				names[m[1]] = true
			}
		} else {
			files[entry.Name()] = string(content)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names, files
}

func TestEveryYesHasATest(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/security.md"))
	if err != nil {
		t.Fatal(err)
	}
	names, files := tests(t)
	defences, standards, found := strings.Cut(string(page), "\n## OWASP ASVS")
	if !found {
		t.Fatal("the tables of the standards are missing")
	}
	_, defences, _ = strings.Cut(defences, "\n## Defences\n")
	rows := 0
	for line := range strings.Lines(defences + standards) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| ---") || strings.TrimSpace(cells[0]) == "attack" {
			continue
		}
		rows++
		named := goTest.FindAllStringSubmatch(line, -1)
		clients := clientTest.FindAllStringSubmatch(line, -1)
		for _, m := range named {
			if !names[m[1]] {
				t.Errorf("there is no %s: %s", m[1], line)
			}
		}
		for _, m := range clients {
			if !strings.Contains(files[m[1]], m[2]) {
				t.Errorf("there is no test %q in %s", m[2], m[1])
			}
		}
		claimed := len(cells) == 3 // a defence
		if len(cells) > 3 {
			switch verdict := strings.TrimSpace(cells[2]); verdict {
			case "yes":
				claimed = true
			case "no", "n/a", "":
			default:
				t.Errorf("%q is neither yes nor no: %s", verdict, line)
			}
		}
		if claimed && len(named)+len(clients) == 0 {
			t.Errorf("no test: %s", line)
		}
	}
	if rows < 100 {
		t.Errorf("the page has %d rows", rows)
	}
}
