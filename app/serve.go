package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Bounds of a connection. Reading ends well before the grace of a shutdown does, so that a half-sent request cannot
// hold it up; writing leaves room for the longest operation.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 9 * time.Second
	writeTimeout      = 20 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
	shutdownGrace     = 10 * time.Second
)

// Listen opens the listen address of the settings.
func (a *App) Listen(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", a.Settings.Addr)
	if err != nil {
		return nil, fmt.Errorf("LATCHKEY_ADDR: %w", err)
	}
	return l, nil
}

// Serve answers requests on l until ctx ends, then finishes what is under way, for ten seconds at most.
// It returns nil after an orderly end.
func (a *App) Serve(ctx context.Context, l net.Listener) error {
	handler, err := a.Handler()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(a.Logger.Handler(), slog.LevelDebug),
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
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	a.Logger.InfoContext(ctx, "listening", "address", l.Addr().String())

	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	a.Logger.InfoContext(ctx, "stopping: finishing what is under way")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		a.Logger.WarnContext(ctx, "some requests were cut off", "error", err)
		return errors.Join(server.Close())
	}
	return nil
}
