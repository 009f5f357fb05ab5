package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"latchkey/auth/keys"
	"latchkey/models"
)

// secrets returns what protects the private keys: LATCHKEY_SECRET_KEY, or with SQLite the first line of a file beside the
// database that is made at the first start; and behind it those from before, which only open.
func (a *App) secrets(ctx context.Context) ([][]byte, error) {
	var all [][]byte
	if a.Settings.SecretKey != "" {
		all = append(all, []byte(a.Settings.SecretKey))
	} else {
		kept, err := a.keptSecrets(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, kept...)
	}
	for _, before := range a.Settings.SecretsBefore {
		all = append(all, []byte(before))
	}
	return all, nil
}

// sealer returns what seals and opens the keys under the secrets as they are now: a command may change those in the file
// beside a running server.
func (a *App) sealer(ctx context.Context) (*keys.Sealer, error) {
	secrets, err := a.secrets(ctx)
	if err != nil {
		return nil, err
	}
	return keys.NewSealer(secrets[0], secrets[1:]...)
}

// keptSecrets returns those in the file, a line each, the newest first.
func (a *App) keptSecrets(ctx context.Context) ([][]byte, error) {
	path := a.secretPath()
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		content, err = a.firstSecret(ctx, path)
	}
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	lines := bytes.Split(bytes.TrimSpace(content), []byte("\n"))
	for i, line := range lines {
		if lines[i] = bytes.TrimSpace(line); len(lines[i]) < secretBytes {
			return nil, fmt.Errorf("the secret key in %s is too short: it is damaged, restore it", path)
		}
	}
	return lines, nil
}

// warnOfReaders says so where others can read the secret in the file.
func (a *App) warnOfReaders(ctx context.Context) {
	if a.Settings.SecretKey != "" {
		return
	}
	path := a.secretPath()
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		a.Logger.WarnContext(ctx, "others can read the secret key; make it yours alone with chmod 600", "file", path)
	}
}

// Reseal seals the keys, that of the audit chain too, under the present secret and returns how many were not. Where the secret is kept beside the
// SQLite file it makes a new one first, and forgets those before it at the end. The file opens every key at any moment,
// however many do it at once and whenever one is cut short: it is changed only by who has the database's one writer,
// which also seals every new key.
func (a *App) Reseal(ctx context.Context) (int, error) {
	a.warnOfReaders(ctx)
	k := a.keeper(a.Recorder.RecordedKeys())
	if a.Settings.SecretKey != "" {
		n, err := k.Reseal(ctx, nil)
		return n, a.ExplainSecret(err)
	}
	n, err := k.Reseal(ctx, func() error { return a.addSecret(ctx) })
	if err != nil {
		return n, a.ExplainSecret(err)
	}
	return n, k.Kept.Alone(ctx, func(kept models.SealedKeys) error { return a.dropSecrets(ctx, kept) })
}

// addSecret puts a new secret in front of those in the file.
func (a *App) addSecret(ctx context.Context) error {
	before, err := a.keptSecrets(ctx)
	if err != nil {
		return err
	}
	fresh, err := randomSecret()
	if err != nil {
		return err
	}
	return writeSecrets(a.secretPath(), append([][]byte{fresh}, before...))
}

// dropSecrets leaves in the file the first secret, and of the others those that open a key.
func (a *App) dropSecrets(ctx context.Context, kept models.SealedKeys) error {
	rows, err := kept.SigningKeys(ctx)
	if err != nil {
		return err
	}
	chainKey, err := kept.SealedChainKey(ctx)
	if err != nil {
		return err
	}
	all, err := a.keptSecrets(ctx)
	if err != nil {
		return err
	}
	needed := all[:1:1]
	for _, secret := range all[1:] {
		opens, err := opensAny(secret, rows, chainKey)
		if err != nil {
			return err
		}
		if opens {
			needed = append(needed, secret)
		}
	}
	return writeSecrets(a.secretPath(), needed)
}

// opensAny reports whether the secret opens one of the signing keys, or the key of the audit chain, which may be nil.
func opensAny(secret []byte, rows []models.SigningKey, chainKey []byte) (bool, error) {
	sealer, err := keys.NewSealer(secret)
	if err != nil {
		return false, err
	}
	for _, row := range rows {
		if _, err := sealer.Open(row.ID, row.Algorithm, row.Sealed); !errors.Is(err, keys.ErrWrongSecret) {
			return true, nil
		}
	}
	_, err = sealer.OpenChainKey(chainKey)
	return err == nil, nil
}

// ExplainSecret says what to do where err is that the secret does not open the keys.
func (a *App) ExplainSecret(err error) error {
	if !errors.Is(err, keys.ErrWrongSecret) {
		return err
	}
	return wrongSecret(a.secretName() + " does not open the keys in this database: put back what they were made under, or give " +
		"that in LATCHKEY_SECRET_KEY_FALLBACKS")
}

// wrongSecret is keys.ErrWrongSecret with what to do.
type wrongSecret string

// Error returns the text.
func (e wrongSecret) Error() string { return string(e) }

// Unwrap returns keys.ErrWrongSecret.
func (wrongSecret) Unwrap() error { return keys.ErrWrongSecret }

// firstSecret makes the file, unless another process does, and returns what is in it. It refuses to make one for a
// database whose keys were sealed under another secret.
func (a *App) firstSecret(ctx context.Context, path string) ([]byte, error) {
	rows, err := a.Store.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	chainKey, err := a.Store.SealedChainKey(ctx)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 && chainKey == nil {
		if err := makeSecret(path); err != nil {
			return nil, err
		}
	}
	// A process that was first makes the file before the keys: where there are keys, it is there by now.
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is missing, and without it the keys in the database cannot be opened: "+
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
	secret, err := randomSecret()
	if err != nil {
		return err
	}
	name, err := newSecretFile(path, [][]byte{secret})
	if err != nil {
		return err
	}
	defer os.Remove(name) //nolint:errcheck // its second name stays
	// A second name for the file, and not a new name: that would put it in place of another process's.
	if err := os.Link(name, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// writeSecrets puts the secrets in place of those in the file, a line each.
func writeSecrets(path string, secrets [][]byte) error {
	name, err := newSecretFile(path, secrets)
	if err != nil {
		return fmt.Errorf("secret key: %w", err)
	}
	if err := os.Rename(name, path); err != nil {
		return fmt.Errorf("secret key: %w", errors.Join(err, os.Remove(name)))
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("secret key: %w", err)
	}
	return nil
}

// newSecretFile writes the secrets to a file of a name of its own beside path, and returns that name.
func newSecretFile(path string, secrets [][]byte) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(append(bytes.Join(secrets, []byte("\n")), '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// randomSecret returns a new secret, as text.
func randomSecret() ([]byte, error) {
	random := make([]byte, secretBytes)
	if _, err := rand.Read(random); err != nil {
		return nil, err
	}
	return base64.RawURLEncoding.AppendEncode(nil, random), nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
