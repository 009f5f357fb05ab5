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

// Bounds of the listener for metrics: those who use it send a short request and take a few kilobytes.
const (
	metricsTimeout     = 10 * time.Second
	metricsHeaderBytes = 8 << 10
)

// listenForMetrics opens the address of the metrics, where the settings have one.
func (a *App) listenForMetrics(ctx context.Context) error {
	if a.metrics == nil {
		return nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", a.Settings.MetricsAddr)
	if err != nil {
		return fmt.Errorf("LATCHKEY_METRICS_ADDR: %w", err)
	}
	a.metering = l
	return nil
}

// serveMetrics answers /metrics on what Listen opened. It returns what ends that.
func (a *App) serveMetrics(ctx context.Context) (stop func()) {
	if a.metering == nil {
		return func() {}
	}
	server := &http.Server{
		Handler:           a.MetricsHandler(),
		ReadHeaderTimeout: metricsTimeout,
		ReadTimeout:       metricsTimeout,
		WriteTimeout:      2 * metricsTimeout,
		IdleTimeout:       a.Settings.IdleTimeout,
		MaxHeaderBytes:    metricsHeaderBytes,
		ErrorLog:          slog.NewLogLogger(a.Logger.Handler(), slog.LevelDebug),
	}
	go func() {
		if err := server.Serve(a.metering); !errors.Is(err, http.ErrServerClosed) {
			a.Logger.ErrorContext(ctx, "metrics are not served any more", "error", err)
		}
	}()
	a.Logger.InfoContext(ctx, "serving metrics", "address", a.metering.Addr().String())
	return func() {
		// Last looks are answered; nobody waits long for one.
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			_ = server.Close() // what is left is cut off
		}
	}
}

// MetricsHandler returns what answers on the address of the metrics: /metrics and nothing else. nil where the settings
// have no such address.
func (a *App) MetricsHandler() http.Handler {
	if a.metrics == nil {
		return nil
	}
	return a.metrics.handler()
}
