package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"latchkey/config"
)

// healthTimeout bounds the question; the server itself gives the database two seconds.
const healthTimeout = 5 * time.Second

// healthSettings returns the settings that say where the server is and how to speak with it.
func healthSettings() []string {
	return []string{"LATCHKEY_ADDR", "LATCHKEY_TLS_CERT_FILE", "LATCHKEY_TLS_KEY_FILE"}
}

func healthcheck() command {
	return command{
		name:    "healthcheck",
		summary: "Exit 0 when the server at the configured address is ready.",
		details: "It is ready when its database answers and has the newest schema version. Where the settings of TLS are set " +
			"it is asked over TLS; its certificate, which seldom names the address that is asked here, is not looked at.",
		options: settings(healthSettings()...),
		run: func(ctx context.Context, env Environment, flags map[string]string) error {
			s, err := config.Load(env.Variables, flags, healthSettings()...)
			if err != nil {
				return err
			}
			return askReady(ctx, s)
		},
	}
}

// askReady asks the server of the settings whether it is ready.
func askReady(ctx context.Context, s *config.Settings) error {
	if _, port, _ := net.SplitHostPort(s.Addr); port == "0" {
		return errors.New("LATCHKEY_ADDR: with port 0 the server chooses one, which is not known here; name it")
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	base := baseURL(s.Addr, s.TLS())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("LATCHKEY_ADDR: %w", err)
	}
	// Directly: the server is near, and a proxy of the environment may not know of it.
	client := http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // nothing secret is said, and nothing but a yes is believed
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("no server answers at %s; is `latchkey serve` running? (%w)", base, errors.Unwrap(err))
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the server at %s is not ready: it answers %s; its log says why", base, response.Status)
	}
	return nil
}
