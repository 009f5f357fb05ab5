package app

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// lookEvery is how often the files of the certificate are looked at.
	lookEvery = time.Second
	// remindEvery is how often it is said again that the certificate is about to expire.
	remindEvery = 24 * time.Hour
	// longNotice is the most time before its end that a certificate is called old. One that is renewed by itself has a
	// third of its lifetime left then; this is said when less than a fifth of it is.
	longNotice = 21 * 24 * time.Hour
)

// certificate is what the server shows to clients that speak TLS, kept equal to its two files.
//
// The files are read again and compared by content, because that finds every way in which they change: written in
// place, renamed over, or reached through a link that was moved, as Kubernetes does, on whatever file system. What is
// new is taken when two looks have found the same, so that a file that is being written is not, and when it is a pair
// that clients accept. Until then the one from before stays.
type certificate struct {
	certFile, keyFile string
	now               func() time.Time
	logger            *slog.Logger

	current atomic.Pointer[keyPair]

	// Of the one that looks.
	seen     string // what the last look found, where it was not the current pair
	told     string // the fault that was logged last
	reminded time.Time
	expired  bool // that the current pair has expired was said
}

// keyPair is what the two files held.
type keyPair struct {
	tls.Certificate
	digest string
}

// openCertificate reads the pair. The error is one line that names the setting, and shows nothing of its value, which
// may be the key itself.
func openCertificate(ctx context.Context, certFile, keyFile string, now func() time.Time, logger *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, now: now, logger: logger}
	cert, key, err := c.read()
	if err != nil {
		return nil, err
	}
	pair, err := newKeyPair(cert, key, now())
	if err != nil {
		return nil, err
	}
	c.current.Store(pair)
	c.remind(ctx)
	return c, nil
}

// config returns the configuration of TLS: 1.2 and 1.3, with the cipher suites that Go deems sound.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return &c.current.Load().Certificate, nil
		},
	}
}

// host returns a host that clients find in the certificate: the one that is asked about where it is there, else another;
// empty where there is none at all.
func (c *certificate) host(wanted string) string {
	leaf := c.current.Load().Leaf
	for _, name := range append([]string{wanted, "localhost"}, leaf.DNSNames...) {
		if name = strings.Replace(name, "*", "latchkey", 1); leaf.VerifyHostname(name) == nil {
			return name
		}
	}
	return ""
}

// follow looks at the files until ctx ends.
func (c *certificate) follow(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.look(ctx)
		}
	}
}

// look takes what is new in the files, if it can be.
func (c *certificate) look(ctx context.Context) {
	defer c.remind(ctx)
	cert, key, err := c.read()
	found := ""
	if err == nil {
		found = digest(cert, key)
	} else {
		found = err.Error()
	}
	if found == c.current.Load().digest {
		c.seen, c.told = "", ""
		return
	}
	if found != c.seen {
		c.seen = found
		return
	}
	var pair *keyPair
	if err == nil {
		pair, err = newKeyPair(cert, key, c.now())
	}
	if err != nil {
		if err.Error() != c.told {
			c.told = err.Error()
			c.logger.ErrorContext(ctx, "the certificate has changed and cannot be used; the one from before stays", "error", err)
		}
		return
	}
	c.current.Store(pair)
	c.seen, c.told, c.reminded, c.expired = "", "", time.Time{}, false
	c.logger.InfoContext(ctx, "the certificate has changed", "names", pair.Leaf.DNSNames, "not_after", pair.Leaf.NotAfter)
}

// remind says, from time to time, that the certificate is about to expire, or has.
func (c *certificate) remind(ctx context.Context) {
	leaf, now := c.current.Load().Leaf, c.now()
	left := leaf.NotAfter.Sub(now)
	if left > min(longNotice, leaf.NotAfter.Sub(leaf.NotBefore)/5) {
		return
	}
	expired := left < 0
	if expired == c.expired && now.Sub(c.reminded) < remindEvery {
		return
	}
	c.reminded, c.expired = now, expired
	if expired {
		c.logger.ErrorContext(ctx, "the certificate has expired; clients refuse it", "not_after", leaf.NotAfter)
		return
	}
	c.logger.WarnContext(ctx, "the certificate expires soon", "not_after", leaf.NotAfter)
}

func (c *certificate) read() (cert, key []byte, err error) {
	if cert, err = os.ReadFile(c.certFile); err != nil {
		return nil, nil, unreadable("LATCHKEY_TLS_CERT_FILE", err)
	}
	if key, err = os.ReadFile(c.keyFile); err != nil {
		return nil, nil, unreadable("LATCHKEY_TLS_KEY_FILE", err)
	}
	return cert, key, nil
}

// unreadable is the error of a file that cannot be read, without its name.
func unreadable(variable string, err error) error {
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		err = inner.Err
	}
	return fmt.Errorf("%s: the file cannot be read: %w", variable, err)
}

// digest stands for the content of both files.
func digest(cert, key []byte) string {
	first, second := sha256.Sum256(cert), sha256.Sum256(key)
	return string(first[:]) + string(second[:])
}

// newKeyPair reads a certificate and its key from PEM, and refuses what no client would accept now.
func newKeyPair(cert, key []byte, now time.Time) (*keyPair, error) {
	leaf, err := firstCertificate(cert)
	if err != nil {
		return nil, fmt.Errorf("LATCHKEY_TLS_CERT_FILE: %w", err)
	}
	if err := checkKeyBlock(key); err != nil {
		return nil, fmt.Errorf("LATCHKEY_TLS_KEY_FILE: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("LATCHKEY_TLS_KEY_FILE: not the key of the certificate in LATCHKEY_TLS_CERT_FILE: %w", err)
	}
	switch {
	case now.After(leaf.NotAfter):
		return nil, fmt.Errorf("LATCHKEY_TLS_CERT_FILE: the certificate expired at %s; put a new one there", leaf.NotAfter.Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return nil, fmt.Errorf("LATCHKEY_TLS_CERT_FILE: the certificate is not valid before %s; is the clock right?", leaf.NotBefore.Format(time.RFC3339))
	}
	pair.Leaf = leaf
	return &keyPair{Certificate: pair, digest: digest(cert, key)}, nil
}

// firstCertificate returns the first certificate of a PEM text, which is the server's own.
func firstCertificate(text []byte) (*x509.Certificate, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	if strings.Contains(string(text), "PRIVATE KEY-----") {
		return nil, errors.New("the file holds a private key and no certificate; are the two files exchanged?")
	}
	return nil, errors.New("there is no certificate in PEM in the file")
}

// checkKeyBlock says what is wrong with a PEM text that holds no private key to be used.
func checkKeyBlock(text []byte) error {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return errors.New("the private key is encrypted; it must be without a passphrase")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return nil
		}
	}
	if strings.Contains(string(text), "CERTIFICATE-----") {
		return errors.New("the file holds a certificate and no private key; are the two files exchanged?")
	}
	return errors.New("there is no private key in PEM in the file")
}
