package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"syscall"

	"latchkey/app"
	"latchkey/config"
)

func serve() command {
	return command{
		name:    "serve",
		summary: "Serve HTTP.",
		details: "It serves until SIGTERM or an interrupt, and then finishes the requests that are under way. Every flag " +
			"is an environment variable, too, which stands beside it; the flag goes before the variable. Secrets are " +
			"better kept out of flags, which others on the machine can see. A DURATION is written as in 90s, 5m or " +
			"24h. A variable that begins with LATCHKEY_ and is none of these is refused.",
		options: settings(),
		run:     runServe,
	}
}

// runServe serves until ctx ends.
func runServe(ctx context.Context, env Environment, flags map[string]string) error {
	s, err := config.Load(env.Variables, flags)
	if err != nil {
		return err
	}
	app.LimitMemory()
	log := app.NewLogWriter(env.Stderr)
	defer log.Flush() //nolint:errcheck // nobody is left to tell
	terminal := isTerminal(env.Stderr)
	a, err := app.Open(ctx, app.Options{
		Settings: s, Logger: newLogger(s, terminal, log), Access: newLogger(s, terminal, log.Access()),
		Environ: env.Variables, Console: env.Stdout,
	})
	if err != nil {
		return explained(err, s)
	}
	defer a.Close() //nolint:errcheck // the process ends
	if err := a.ReadTrustedDocuments(); err != nil {
		return err
	}
	// The address first: a password must not be shown for a server that then does not start.
	l, err := a.Listen(ctx)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; stop what uses it, or choose another one", err)
	}
	if err != nil {
		return err
	}
	password, err := a.EnsureSuperuser(ctx)
	if err != nil {
		return err
	}
	if password != "" {
		base, options := baseURL(l.Addr().String(), s.TLS()), ""
		if s.TLS() {
			base, options = byName(base, a.CertificateHost, s.TLSCertFile)
		}
		if err := welcome(env.Stdout, base, options, password, s); err != nil {
			return fmt.Errorf("show the first superuser's password: %w; `latchkey createsuperuser` makes another one", err)
		}
	}
	return a.Serve(ctx, l)
}

// welcome shows the first superuser's password, once, and how to go on.
// options are those that curl needs to reach base.
func welcome(w io.Writer, base, options, password string, s *config.Settings) error {
	query := fmt.Sprintf(`mutation { tokenObtain(username: %q, password: %q) { access refresh } }`, app.FirstSuperuser, password)
	path, content := "/graphql", map[string]string{"query": query}
	if s.TrustedDocuments != "" { // this one may not be among them
		path, content = "/api/token/", map[string]string{"username": app.FirstSuperuser, "password": password}
	}
	body, err := json.Marshal(content)
	if err != nil {
		return err
	}
	text := fmt.Sprintf(`
The database was empty, so a superuser was made. The password is shown this once:

    username  %s
    password  %s

Sign in:

    curl -s%s %s -H 'Content-Type: application/json' \
      -d '%s'

`, app.FirstSuperuser, password, options, base+path, body)
	if s.GraphiQLOn() {
		text += fmt.Sprintf("GraphiQL: %s/\n\n", base)
	}
	_, err = io.WriteString(w, text)
	return err
}

// byName returns the URL with a host that is in the certificate, and the options by which curl trusts the certificate and
// finds that host on this machine.
func byName(base string, certificateHost func(string) string, certFile string) (named, options string) {
	u, err := url.Parse(base)
	if err != nil {
		return base, " -k"
	}
	host := certificateHost(u.Hostname())
	if host == "" {
		return base, " -k" // no client would find any host in it
	}
	options = " --cacert '" + strings.ReplaceAll(certFile, "'", `'\''`) + "'"
	if host != u.Hostname() {
		options += fmt.Sprintf(" --resolve %s:%s:%s", host, u.Port(), u.Hostname())
	}
	return "https://" + net.JoinHostPort(host, u.Port()), options
}

// baseURL returns the URL to reach, from this machine, a server that listens on the address.
func baseURL(address string, tls bool) string {
	scheme := "http://"
	if tls {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return scheme + address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + net.JoinHostPort(host, port)
}

// newLogger returns the logger of the settings: text on a terminal and JSON elsewhere, where they do not say.
func newLogger(s *config.Settings, terminal bool, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		level = slog.LevelInfo // Validate lets no other text through
	}
	options := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "text" || s.LogFormat == "" && terminal {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
