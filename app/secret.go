package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// secret returns what protects the private keys: LATCHKEY_SECRET_KEY, or with SQLite the content of a file beside the
// database that is made at the first start.
func (a *App) secret(ctx context.Context) ([]byte, error) {
	if a.Settings.SecretKey != "" {
		return []byte(a.Settings.SecretKey), nil
	}
	path := a.secretPath()
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		content, err = a.firstSecret(ctx, path)
	}
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		a.Logger.WarnContext(ctx, "others can read the secret key; make it yours alone with chmod 600", "file", path)
	}
	secret := strings.TrimSpace(string(content))
	if len(secret) < secretBytes {
		return nil, fmt.Errorf("the secret key in %s is too short: it is damaged, restore it", path)
	}
	return []byte(secret), nil
}

// firstSecret makes the file, unless another process does, and returns what is in it. It refuses to make one for a
// database whose keys were sealed under another secret.
func (a *App) firstSecret(ctx context.Context, path string) ([]byte, error) {
	rows, err := a.Store.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		if err := makeSecret(path); err != nil {
			return nil, err
		}
	}
	// A process that was first makes the file before the keys: where there are keys, it is there by now.
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is missing, and without it the signing keys in the database cannot be opened: "+
			"restore it, or set LATCHKEY_SECRET_KEY to what they were made under", path)
	}
	return content, err
}

// secretPath is where the secret is kept beside an SQLite file.
func (a *App) secretPath() string {
	return strings.TrimPrefix(a.Settings.DatabaseURL, "sqlite:") + ".secret"
}

// secretName is how an error names where the secret comes from.
func (a *App) secretName() string {
	if a.Settings.SecretKey != "" {
		return "LATCHKEY_SECRET_KEY"
	}
	return "the secret key in " + a.secretPath()
}

// secretBytes is how much randomness a secret is made of.
const secretBytes = 32

// makeSecret writes a new secret, whole and on disk before it has its name, so that no crash and no second process can
// leave or see a part of it. It does nothing where another process was first.
func makeSecret(path string) error {
	random := make([]byte, secretBytes)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".secret-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // its second name stays
	_, err = f.WriteString(base64.RawURLEncoding.EncodeToString(random) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	// A second name for the file, and not a new name: that would put it in place of another process's.
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
