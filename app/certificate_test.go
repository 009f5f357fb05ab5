package app_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/app"
	"latchkey/config"
	"latchkey/internal/testcert"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

// noon is when the clocks of testkit begin.
var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// keyPair is a certificate with its key, as PEM.
type keyPair struct{ cert, key []byte }

// newKeyPair makes a certificate that is good from an hour before noon on for so long.
func newKeyPair(t *testing.T, lifetime time.Duration, names ...string) keyPair {
	t.Helper()
	begin := noon.Add(-time.Hour)
	cert, key, err := testcert.New(begin, begin.Add(lifetime), names...)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{cert, key}
}

// files writes the pair into a new folder.
func (p keyPair) files(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, certFile, string(p.cert))
	write(t, keyFile, string(p.key))
	return certFile, keyFile
}

// serial returns what tells the pair from others.
func (p keyPair) serial(t *testing.T) string {
	t.Helper()
	pair, err := tls.X509KeyPair(p.cert, p.key)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf.SerialNumber.String()
}

// trust returns the configuration of a client that trusts the pair.
func (p keyPair) trust() *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(p.cert)
	return &tls.Config{RootCAs: pool, Time: func() time.Time { return noon }, MinVersion: tls.VersionTLS12}
}

// servingTLS makes a server speak TLS with the pair.
func servingTLS(t *testing.T, p keyPair) func(*config.Settings) {
	return func(c *config.Settings) { c.TLSCertFile, c.TLSKeyFile = p.files(t) }
}

func TestACertificateThatCannotBeUsedStopsTheStart(t *testing.T) {
	good, other := newKeyPair(t, 90*day, "localhost"), newKeyPair(t, 90*day, "localhost")
	over, early := newKeyPair(t, 30*time.Minute, "localhost"), keyPair{}
	var err error
	if early.cert, early.key, err = testcert.New(noon.Add(time.Hour), noon.Add(day), "localhost"); err != nil {
		t.Fatal(err)
	}
	const (
		certFile = "LATCHKEY_TLS_CERT_FILE: "
		keyFile  = "LATCHKEY_TLS_KEY_FILE: "
	)
	for name, row := range map[string]struct {
		cert, key []byte // nil: there is no such file
		want      string
	}{
		"no certificate":              {nil, good.key, certFile + "the file cannot be read: no such file or directory"},
		"no key":                      {good.cert, nil, keyFile + "the file cannot be read: no such file or directory"},
		"an empty certificate":        {[]byte{}, good.key, certFile + "there is no certificate in PEM in the file"},
		"an empty key":                {good.cert, []byte{}, keyFile + "there is no private key in PEM in the file"},
		"half a certificate":          {good.cert[:len(good.cert)/2], good.key, certFile + "there is no certificate in PEM in the file"},
		"half a key":                  {good.cert, good.key[:len(good.key)/2], keyFile + "there is no private key in PEM in the file"},
		"no certificate but its name": {[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), good.key, certFile + "x509: malformed certificate"},
		"the two exchanged":           {good.key, good.cert, certFile + "the file holds a private key and no certificate; are the two files exchanged?"},
		"the certificate twice":       {good.cert, good.cert, keyFile + "the file holds a certificate and no private key; are the two files exchanged?"},
		"an encrypted key":            {good.cert, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), keyFile + "the private key is encrypted; it must be without a passphrase"},
		"an encrypted key, of old":    {good.cert, []byte("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n"), keyFile + "the private key is encrypted; it must be without a passphrase"},
		"another one's key":           {good.cert, other.key, keyFile + "not the key of the certificate in LATCHKEY_TLS_CERT_FILE: tls: private key does not match public key"},
		"an expired certificate":      {over.cert, over.key, certFile + "the certificate expired at 2026-01-31T11:30:00Z; put a new one there"},
		"one of tomorrow":             {early.cert, early.key, certFile + "the certificate is not valid before 2026-01-31T13:00:00Z; is the clock right?"},
		"a good one":                  {good.cert, good.key, ""},
		"both in one file":            {append(good.key, good.cert...), append(good.cert, good.key...), ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			a, _ := testkit.Open(t, testdb.SQLite(t), func(c *config.Settings) {
				c.Addr, c.TLSCertFile, c.TLSKeyFile = "127.0.0.1:0", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
			})
			if row.cert != nil {
				write(t, a.Settings.TLSCertFile, string(row.cert))
			}
			if row.key != nil {
				write(t, a.Settings.TLSKeyFile, string(row.key))
			}
			l, err := a.Listen(t.Context())
			got := ""
			if err != nil {
				got = err.Error()
			} else if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
	}
}

// shown returns the serial number of the certificate that a client is shown.
func shown(t *testing.T, server *tls.Config) string {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()                                       //nolint:errcheck // the test has seen what it wanted
	defer far.Close()                                        //nolint:errcheck // likewise
	go tls.Server(far, server).HandshakeContext(t.Context()) //nolint:errcheck // the client tells
	client := tls.Client(near, &tls.Config{InsecureSkipVerify: true})
	if err := client.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return client.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func TestTheCertificateFollowsItsFiles(t *testing.T) {
	first, second := newKeyPair(t, 90*day, "localhost"), newKeyPair(t, 90*day, "localhost")
	over, other := newKeyPair(t, 30*time.Minute, "localhost"), newKeyPair(t, 90*day, "localhost")
	replace := func(t *testing.T, path string, content []byte) {
		t.Helper()
		write(t, path+".new", string(content))
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	const inPlace, notUsed = "the certificate has changed", "cannot be used"
	for name, row := range map[string]struct {
		change func(t *testing.T, certFile, keyFile string)
		taken  bool
		log    string // what is in it; empty: nothing is
	}{
		"nothing": {func(*testing.T, string, string) {}, false, ""},
		"written in place": {func(t *testing.T, certFile, keyFile string) {
			write(t, certFile, string(second.cert))
			write(t, keyFile, string(second.key))
		}, true, inPlace},
		"renamed over": {func(t *testing.T, certFile, keyFile string) {
			replace(t, certFile, second.cert)
			replace(t, keyFile, second.key)
		}, true, inPlace},
		"the same again":       {func(t *testing.T, certFile, _ string) { replace(t, certFile, first.cert) }, false, ""},
		"the certificate only": {func(t *testing.T, certFile, _ string) { replace(t, certFile, second.cert) }, false, notUsed},
		"the key only":         {func(t *testing.T, _, keyFile string) { replace(t, keyFile, second.key) }, false, notUsed},
		"half of the key": {func(t *testing.T, certFile, keyFile string) {
			write(t, certFile, string(second.cert))
			write(t, keyFile, string(second.key[:len(second.key)/2]))
		}, false, notUsed},
		"cut to nothing": {func(t *testing.T, certFile, _ string) { write(t, certFile, "") }, false, notUsed},
		"removed": {func(t *testing.T, certFile, _ string) {
			if err := os.Remove(certFile); err != nil {
				t.Fatal(err)
			}
		}, false, notUsed},
		"expired": {func(t *testing.T, certFile, keyFile string) {
			write(t, certFile, string(over.cert))
			write(t, keyFile, string(over.key))
		}, false, notUsed},
	} {
		t.Run(name, func(t *testing.T) {
			certFile, keyFile := first.files(t)
			var log bytes.Buffer
			c, err := app.OpenCertificate(t.Context(), certFile, keyFile, func() time.Time { return noon }, slog.New(slog.NewTextHandler(&log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			row.change(t, certFile, keyFile)
			// What one look finds may be half written.
			c.Look(t.Context())
			if got := shown(t, c.Config); got != first.serial(t) || log.Len() > 0 {
				t.Errorf("after one look: %s, and the log is %s", got, &log)
			}
			for range 5 {
				c.Look(t.Context())
			}
			want := first
			if row.taken {
				want = second
			}
			if got := shown(t, c.Config); got != want.serial(t) {
				t.Errorf("got %s, want %s", got, want.serial(t))
			}
			if !strings.Contains(log.String(), row.log) || strings.Count(log.String(), "\n") != min(1, len(row.log)) {
				t.Errorf("the log is not one line of %q:\n%s", row.log, &log)
			}
			// Whatever it was: a whole pair is taken.
			write(t, certFile, string(other.cert))
			write(t, keyFile, string(other.key))
			c.Look(t.Context())
			c.Look(t.Context())
			if got := shown(t, c.Config); got != other.serial(t) {
				t.Errorf("afterwards: got %s, want %s", got, other.serial(t))
			}
		})
	}
}

// A chain that is being written begins with a whole certificate, which is a pair with its key.
func TestAChainIsNotTakenWhileItIsWritten(t *testing.T) {
	first, second, above := newKeyPair(t, 90*day, "localhost"), newKeyPair(t, 90*day, "localhost"), newKeyPair(t, 90*day, "localhost")
	certFile, keyFile := first.files(t)
	c, err := app.OpenCertificate(t.Context(), certFile, keyFile, func() time.Time { return noon }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	write(t, keyFile, string(second.key))
	chain := append(bytes.Clone(second.cert), above.cert...)
	for _, n := range []int{len(second.cert), len(second.cert) + 100, len(chain)} {
		write(t, certFile, string(chain[:n]))
		c.Look(t.Context())
		if got := shown(t, c.Config); got != first.serial(t) {
			t.Errorf("with %d of %d bytes: got %s", n, len(chain), got)
		}
	}
	c.Look(t.Context())
	if got := shown(t, c.Config); got != second.serial(t) {
		t.Errorf("got %s, want %s", got, second.serial(t))
	}
}

// Kubernetes mounts a secret as links to ..data/, a link to a folder that is replaced as a whole.
func TestALinkThatIsMovedChangesTheCertificate(t *testing.T) {
	first, second := newKeyPair(t, 90*day, "localhost"), newKeyPair(t, 90*day, "localhost")
	dir := t.TempDir()
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, name+".new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, name+".new"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	put := func(name string, p keyPair) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, "tls.crt"), string(p.cert))
		write(t, filepath.Join(dir, name, "tls.key"), string(p.key))
		link(name, "..data")
	}
	put("..2026_01", first)
	link("..data/tls.crt", "tls.crt")
	link("..data/tls.key", "tls.key")
	c, err := app.OpenCertificate(t.Context(), filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"),
		func() time.Time { return noon }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	put("..2026_02", second)
	if err := os.RemoveAll(filepath.Join(dir, "..2026_01")); err != nil {
		t.Fatal(err)
	}
	c.Look(t.Context())
	c.Look(t.Context())
	if got := shown(t, c.Config); got != second.serial(t) {
		t.Errorf("got %s, want %s", got, second.serial(t))
	}
}

func TestACertificateThatIsAboutToExpireIsToldOnceADay(t *testing.T) {
	for name, row := range map[string]struct {
		lifetime time.Duration
		want     []string // days since noon, and what is logged then
	}{
		"ninety days": {90*day + time.Hour, []string{
			"72 WARN", "73 WARN", "74 WARN", "75 WARN", "76 WARN", "77 WARN", "78 WARN", "79 WARN", "80 WARN", "81 WARN", "82 WARN",
			"83 WARN", "84 WARN", "85 WARN", "86 WARN", "87 WARN", "88 WARN", "89 WARN", "90 WARN", "91 ERROR", "92 ERROR",
		}},
		"six days":  {6*day + time.Hour, []string{"5 WARN", "6 WARN", "7 ERROR", "8 ERROR"}},
		"ten years": {3650 * day, nil},
	} {
		t.Run(name, func(t *testing.T) {
			certFile, keyFile := newKeyPair(t, row.lifetime, "localhost").files(t)
			now, today := noon, 0
			var got []string
			log := slog.New(levels(func(l slog.Level) { got = append(got, strconv.Itoa(today)+" "+l.String()) }))
			c, err := app.OpenCertificate(t.Context(), certFile, keyFile, func() time.Time { return now }, log)
			if err != nil {
				t.Fatal(err)
			}
			for today = 0; today <= min(92, int(row.lifetime/day)+2); today++ {
				now = noon.Add(time.Duration(today) * day)
				for range 3 {
					c.Look(t.Context())
				}
			}
			if d := cmp.Diff(row.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// levels is a handler that is told the level of each line.
type levels func(slog.Level)

func (levels) Enabled(context.Context, slog.Level) bool { return true }
func (f levels) Handle(_ context.Context, r slog.Record) error {
	f(r.Level)
	return nil
}
func (f levels) WithAttrs([]slog.Attr) slog.Handler { return f }
func (f levels) WithGroup(string) slog.Handler      { return f }
