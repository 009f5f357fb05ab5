package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"latchkey/app"
	"latchkey/config"
)

// sqliteMagic begins every SQLite file (https://www.sqlite.org/fileformat.html, section 1.3).
const sqliteMagic = "SQLite format 3\x00"

// openQuietly opens Latchkey for a command that signs and verifies no token, and tells of warnings alone.
func openQuietly(ctx context.Context, env Environment, s *config.Settings) (*app.App, error) {
	logger := slog.New(slog.NewTextHandler(env.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	a, err := app.Open(ctx, app.Options{Settings: s, Logger: logger, Keyless: true})
	if err != nil {
		return nil, explained(err, s)
	}
	return a, nil
}

// explained returns err, which opening the database brought, in the words of the settings where the path of an SQLite
// file is plainly to blame.
func explained(err error, s *config.Settings) error {
	path, ok := strings.CutPrefix(s.DatabaseURL, "sqlite:")
	if !ok {
		return err
	}
	if why := unfit(path); why != "" {
		return fmt.Errorf("LATCHKEY_DATABASE_URL: %s %s", path, why)
	}
	return err
}

// unfit says why the path cannot be that of an SQLite database, and what to do; empty where nothing speaks against it.
func unfit(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "cannot be made; give a path in a folder that this process may write to"
	}
	if info.IsDir() {
		return "is a folder; add the name of a file in it"
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return "cannot be written; let this process do so, or give another path"
	}
	defer f.Close() //nolint:errcheck // nothing was written
	begin := make([]byte, len(sqliteMagic))
	n, err := io.ReadFull(f, begin)
	if n > 0 && (err != nil || string(begin) != sqliteMagic) {
		return "is not an SQLite database; give the path of one, or of a file that does not exist yet"
	}
	return ""
}
