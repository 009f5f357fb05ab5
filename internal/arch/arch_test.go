// Package arch_test says who may import whom in this module, and which library lives where. Imports of tests are free.
package arch_test

import (
	"errors"
	"fmt"
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "latchkey"

// A room is a package with the packages of this module that it may import.
type room struct {
	name string
	may  []string
}

// rooms stand in order: a room may import only what stands above it. Siblings do not know each other, and nobody below
// app reads config.
var rooms = []room{
	{"fault", nil},
	{"models", nil},
	{"config", nil},
	{"django", nil},
	{"web", nil},
	{"auth/password", nil},
	{"auth/username", nil},

	{"auth/chain", []string{"models"}},
	{"auth/token", []string{"fault"}},
	{"auth/keys", []string{"auth/token", "models"}},
	{"auth/revocation", []string{"fault", "models"}},
	{"auth/throttle", []string{"fault", "models"}},
	{"auth/throttle/redis", []string{"models"}},
	{"store", []string{"models"}},

	{"auth", []string{
		"auth/chain", "auth/keys", "auth/password", "auth/revocation", "auth/throttle", "auth/token", "auth/username", "fault",
		"models",
	}},

	{"graph/scalar", []string{"fault"}},
	{"graph/model", []string{"auth", "fault", "graph/scalar", "models"}},
	{"graph/generated", []string{"auth", "fault", "graph/model", "graph/scalar", "models"}},
	{"graph", []string{"auth", "auth/token", "fault", "graph/generated", "graph/model", "graph/scalar", "models"}},
	{"rest", []string{"auth", "auth/token", "fault", "models"}},

	{"app", []string{
		"auth", "auth/chain", "auth/keys", "auth/password", "auth/throttle", "auth/throttle/redis", "auth/token",
		"auth/username", "config", "django", "fault", "graph", "models", "rest", "store", "web",
	}},
	{"cli", []string{"app", "auth", "auth/chain", "auth/keys", "config", "django", "fault", "graph", "models", "store"}},
	{".", []string{"cli"}}, // server.go

	// For tests alone, so that no room above names them.
	{"store/storetest", []string{"models"}},
	{"internal/testcert", nil},
	{"internal/testdb", nil},
	{"internal/testkit", []string{"app", "auth", "auth/password", "config", "internal/testdb"}},
	{"internal/testsum", nil},
	{"internal/evidence", nil},
	{"internal/extending", nil},
	{"internal/arch", nil},
}

// homes says in which rooms a library may be imported. A path stands for all that is below it, too.
var homes = map[string][]string{
	"github.com/99designs/gqlgen":           {"graph", "graph/generated", "graph/model", "graph/scalar"},
	"github.com/agnivade/levenshtein":       {"config"},
	"github.com/go-jose/go-jose":            {"auth/token", "auth/keys"},
	"github.com/go-redis/redis_rate":        {"auth/throttle/redis"},
	"github.com/golang-jwt/jwt":             {"auth/token"},
	"github.com/google/go-cmp":              {"store/storetest"},
	"github.com/hashicorp/golang-lru":       {"auth", "auth/throttle"},
	"github.com/jackc/pgx":                  {"store", "internal/testdb"},
	"github.com/KimMachineGun/automemlimit": {"app"},
	"github.com/libtnb/sqlite":              {"store"},
	"github.com/pressly/goose":              {"store"},
	"github.com/prometheus/client_golang":   {"app"},
	"github.com/redis/go-redis":             {"auth/throttle/redis"},
	"github.com/rs/cors":                    {"graph"},
	"github.com/vektah/gqlparser":           {"graph", "graph/generated", "graph/model", "graph/scalar"},
	"github.com/vikstrous/dataloadgen":      {"graph"},
	"github.com/XSAM/otelsql":               {"app"},
	"go.opentelemetry.io/otel":              {"app"},
	"golang.org/x/crypto/argon2":            {"auth/password"},
	"golang.org/x/crypto/bcrypt":            {"auth/password"},
	"golang.org/x/crypto/scrypt":            {"auth/password"},
	"golang.org/x/net/netutil":              {"app"},
	"golang.org/x/term":                     {"cli"},
	"golang.org/x/text/cases":               {"auth/password", "auth/username"},
	"golang.org/x/text/unicode/norm":        {"auth/password", "auth/username", "store"},
	"golang.org/x/time/rate":                {"auth/throttle"},
	"gorm.io":                               {"store"},
	"modernc.org/sqlite":                    {"store"},
}

// violations returns a sentence for each import that the tables above do not allow. The packages are given by name,
// each with the full paths of its imports.
func violations(packages map[string][]string) []string {
	var found []string
	for name, imports := range packages {
		at := slices.IndexFunc(rooms, func(r room) bool { return r.name == name })
		if at < 0 {
			found = append(found, fmt.Sprintf("%s has no row in rooms", name))
			continue
		}
		for _, path := range imports {
			if inner, inModule := strings.CutPrefix(path, module+"/"); inModule {
				if !slices.Contains(rooms[at].may, inner) {
					found = append(found, fmt.Sprintf("%s may not import %s", name, inner))
				}
			} else if !standard(path) && !slices.Contains(homes[library(path)], name) {
				found = append(found, fmt.Sprintf("%s may not import %s", name, path))
			}
		}
	}
	slices.Sort(found)
	return found
}

// standard reports whether a path is of the standard library: only there the first part has no dot.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// library returns the key of homes that a path falls under, or "".
func library(path string) string {
	for key := range homes {
		if path == key || strings.HasPrefix(path, key+"/") {
			return key
		}
	}
	return ""
}

// read returns the packages of the module under root, each with its imports. It reads the files itself, so that a
// cached result of the test is dropped when one of them changes; a result of `go list` would not be noticed.
func read(t *testing.T, root string) map[string][]string {
	t.Helper()
	packages := map[string][]string{}
	err := filepath.WalkDir(root, func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if dir != root && !ours(dir) {
			return fs.SkipDir
		}
		p, err := build.ImportDir(dir, 0)
		if _, none := errors.AsType[*build.NoGoError](err); none {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, dir)
		packages[filepath.ToSlash(name)] = p.Imports
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// ours reports whether a folder can hold packages of this module: it is no module of its own, and none that Go ignores.
func ours(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	name := filepath.Base(dir)
	return err != nil && !strings.HasPrefix(name, ".") && name != "node_modules" && name != "testdata"
}

func TestRoomsImportOnlyWhatTheyMay(t *testing.T) {
	packages := read(t, "../..")
	for _, v := range violations(packages) {
		t.Error(v)
	}
	for _, r := range rooms {
		if _, ok := packages[r.name]; !ok {
			t.Errorf("rooms has a row for %s, which is no package", r.name)
		}
	}
}

func TestARoomMayOnlyImportThoseAboveIt(t *testing.T) {
	var above []string
	for _, r := range rooms {
		for _, name := range r.may {
			if !slices.Contains(above, name) {
				t.Errorf("%s may import %s, which does not stand above it", r.name, name)
			}
		}
		above = append(above, r.name)
	}
}

func TestViolationsAreFound(t *testing.T) {
	for _, c := range []struct{ name, pkg, path, want string }{
		{"the product does not know the database", "auth", "latchkey/store", "auth may not import store"},
		{"siblings do not know each other", "graph", "latchkey/rest", "graph may not import rest"},
		{"nobody below app reads config", "auth/token", "latchkey/config", "auth/token may not import config"},
		{"GORM stays in the store", "models", "gorm.io/gorm", "models may not import gorm.io/gorm"},
		{"tokens are signed in one place", "auth", "github.com/golang-jwt/jwt/v5", "auth may not import github.com/golang-jwt/jwt/v5"},
		{"a new library needs a home", "store", "example.org/orm", "store may not import example.org/orm"},
		{"a new package needs a row", "misc", "fmt", "misc has no row in rooms"},
		{"what is allowed is no violation", "store", "latchkey/models", ""},
		{"nor is a part of a library at its home", "store", "gorm.io/gorm/clause", ""},
		{"nor is the standard library", "fault", "net/http", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(violations(map[string][]string{c.pkg: {c.path}}), "\n")
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
