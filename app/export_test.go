package app

import (
	"context"
	"crypto/tls"
	"log/slog"
	"time"
)

// Processors is what Serve uses in place of the present ones.
var Processors = processors

// ClientAddress and OverTLS read what proxies say.
var (
	ClientAddress = clientAddress
	OverTLS       = overTLS
)

// Certificate is a certificate from files, and what looks at them when the test wants it.
type Certificate struct {
	Config *tls.Config
	Look   func(context.Context)
}

// OpenCertificate reads a certificate as Listen does.
func OpenCertificate(ctx context.Context, certFile, keyFile string, now func() time.Time, logger *slog.Logger) (*Certificate, error) {
	c, err := openCertificate(ctx, certFile, keyFile, now, logger)
	if err != nil {
		return nil, err
	}
	return &Certificate{c.config(), c.look}, nil
}
