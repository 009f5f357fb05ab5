package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"golang.org/x/net/netutil"
)

// Listen opens the listen address of the settings, after it has read the certificate where there is one, and that of the
// metrics, where there is one. The connections of the listener are plain; Serve speaks TLS on them.
func (a *App) Listen(ctx context.Context) (net.Listener, error) {
	if err := a.openCertificate(ctx); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", a.Settings.Addr)
	if err != nil {
		return nil, fmt.Errorf("LATCHKEY_ADDR: %w", err)
	}
	if err := a.listenForMetrics(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// openCertificate reads the certificate that the settings name, unless that was done.
func (a *App) openCertificate(ctx context.Context) (err error) {
	if s := a.Settings; s.TLS() && a.certificate == nil {
		a.certificate, err = openCertificate(ctx, s.TLSCertFile, s.TLSKeyFile, a.now, a.Logger)
	}
	return err
}

// CertificateHost returns a host that clients find in the certificate of the server: the one that is asked about, where
// it is there; empty where there is none. To be called after Listen, where the settings have a certificate.
func (a *App) CertificateHost(wanted string) string { return a.certificate.host(wanted) }

// Serve answers requests on l until ctx ends, then finishes what is under way, for as long as the settings allow.
// It returns nil after an orderly end.
func (a *App) Serve(ctx context.Context, l net.Listener) error {
	handler, err := a.Handler()
	if err := errors.Join(err, a.openCertificate(ctx)); err != nil {
		return errors.Join(err, l.Close())
	}
	server := a.server(handler)
	if n := a.Settings.MaxConnections; n > 0 {
		l = netutil.LimitListener(l, n)
	}
	defer leaveRoom(a.hashSlots)()
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		a.Follow(following)
	}()
	defer func() { // after the last request; what waits to be recorded is
		stop()
		<-followed
	}()
	defer a.serveMetrics(ctx)()
	failed := make(chan error, 1)
	go func() {
		if a.certificate != nil {
			failed <- server.ServeTLS(l, "", "")
		} else {
			failed <- server.Serve(l)
		}
	}()
	a.Logger.InfoContext(ctx, "listening", "address", l.Addr().String(), "tls", a.certificate != nil)

	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	a.Logger.InfoContext(ctx, "stopping: finishing what is under way")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.Settings.ShutdownTimeout)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		a.Logger.WarnContext(ctx, "some requests were cut off", "error", err)
		return errors.Join(server.Close())
	}
	return nil
}

// maxStreams bounds the requests that one connection of HTTP/2 may have under way.
const maxStreams = 100

// server returns the server of the handler, with every bound of a connection.
func (a *App) server(handler http.Handler) *http.Server {
	s := a.Settings
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: min(s.ReadHeaderTimeout, s.ReadTimeout),
		ReadTimeout:       s.ReadTimeout,
		WriteTimeout:      s.WriteTimeout,
		IdleTimeout:       s.IdleTimeout,
		MaxHeaderBytes:    s.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(a.Logger.Handler(), slog.LevelDebug),
		Protocols:         new(http.Protocols),
		// What the timeouts above do for connections of HTTP/1, these do for HTTP/2: a client that stops in the middle of
		// a frame cannot answer a ping, and one that reads nothing lets no byte be written.
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams,
			MaxReadFrameSize:     16 << 10,
			SendPingTimeout:      s.ReadTimeout,
			PingTimeout:          s.ReadHeaderTimeout,
			WriteByteTimeout:     s.WriteTimeout,
		},
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(true) // over TLS, by ALPN
	if a.certificate != nil {
		server.TLSConfig = a.certificate.config()
	}
	return server
}
